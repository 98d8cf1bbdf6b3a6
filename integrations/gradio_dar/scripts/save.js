(content) => {
  const page = content.startsWith('<'), link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], {type: page ? 'text/html' : 'application/json'}));
  link.download = page ? 'conversation.html' : 'conversation.json';
  link.click();
  URL.revokeObjectURL(link.href);
}
