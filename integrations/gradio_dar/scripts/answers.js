element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-id]');
  if (!button) return;
  pressed(button);
  trigger('click', {id: button.dataset.id});
});
