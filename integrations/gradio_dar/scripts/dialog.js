// Emptied when closed, so that the same can be opened again. Focus returns to what was looked at.
let opener = null;
const closed = (dialog) => {
  const id = dialog.dataset.id;
  props.value = '';
  const tile = [...document.querySelectorAll('[data-look]')].find((each) => each.dataset.look === id);
  (tile ?? opener)?.focus({preventScroll: true});
  opener = null;
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button'), dialog = element.querySelector('dialog');
  if (event.target === dialog) dialog.close();
  const {look, action, id, where} = button?.dataset ?? {};
  if (look) trigger('look', {id: look});
  if (where) { pressed(button); trigger('where', {id: where}); }
  if (action) { trigger('judge', {action, id}); dialog.close(); }
});
element.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = {l: '[data-action=like]', x: '[data-action=unlike]'}[event.key.toLowerCase()];
  element.querySelector(key ?? `[data-key="${CSS.escape(event.key)}"]`)?.click();
});
watch('value', () => {
  const dialog = element.querySelector('dialog');
  if (!dialog || dialog.open) return;
  opener ??= document.activeElement;
  dialog.addEventListener('close', () => closed(dialog), {once: true});
  dialog.showModal();
  dialog.querySelector('[data-matched]')?.click();
});
