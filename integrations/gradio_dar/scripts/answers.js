// An answer, something else to ask for, or a part to leave out.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {id, place} = button.dataset;
  pressed(button);
  if (place) trigger('alter', {action: 'remove', place, words: ''});
  else trigger('click', {id});
});
