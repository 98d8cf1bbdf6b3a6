(content) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], {type: 'application/json'}));
  link.download = 'conversation.json';
  link.click();
  URL.revokeObjectURL(link.href);
}
