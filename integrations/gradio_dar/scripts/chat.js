// Examples are buttons; what was said last stays in view.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-id]');
  if (button) trigger('click', {id: button.dataset.id});
});
watch('value', () => {
  const chat = element.querySelector('.dar-chat');
  if (chat) chat.scrollTop = chat.scrollHeight;
});
