// Emptied when closed, so that the same can be opened again. Focus returns to where it was.
watch('value', () => {
  const dialog = element.querySelector('dialog');
  if (!dialog || dialog.open) return;
  dialog.addEventListener('close', () => { props.value = ''; }, {once: true});
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.showModal();
});
