// Each part can be taken out, turned round, or said in other words where it stands.
const say = (place, words) => trigger('alter', {action: 'edit', place, words});
let locking = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {action, place, look} = button.dataset;
  if (look) trigger('look', {id: look});
  else if (action) {
    pressed(button);
    locking = action.endsWith('lock') ? place : null;
    trigger('alter', {action, place, words: ''});
  }
  else if (button.matches('.dar-phrase')) {
    const field = document.createElement('input'), before = button.textContent;
    Object.assign(field, {value: before, className: 'dar-phrase', ariaLabel: button.ariaLabel});
    field.style.width = `${Math.max(6, before.length + 2)}ch`;
    let open = true;
    const back = () => { if (open) { open = false; field.replaceWith(button); } };
    field.addEventListener('keydown', (key) => {
      if (key.key === 'Escape') { back(); button.focus(); }
      if (key.key !== 'Enter') return;
      key.preventDefault();
      const words = field.value.trim();
      back();
      if (words === before) return;
      pressed(button);
      say(place, words);
    });
    field.addEventListener('blur', back);
    button.replaceWith(field);
    field.select();
  }
});
// Whoever locked a part can unlock it at once.
watch('value', () => {
  const there = locking === null ? null : element.querySelector(`[data-action$=lock][data-place="${locking}"]`);
  if (there && document.activeElement === document.body) there.focus({preventScroll: true});
});
