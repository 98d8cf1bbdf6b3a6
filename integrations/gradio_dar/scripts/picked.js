// What is ticked stays ticked from turn to turn, and when hits are drawn anew.
const ticked = new Set();
const boxes = () => [...document.querySelectorAll('#hits [data-tick]')];
const bar = () => element.querySelector('.dar-picked');
const ids = () => [...ticked].join('\n');
const told = () => {
  for (const box of boxes()) box.checked = ticked.has(box.dataset.tick);
  bar().hidden = !ticked.size;
  bar().querySelector('strong').textContent = `${ticked.size} ticked`;
};
document.addEventListener('change', (event) => {
  const id = event.target.dataset?.tick;
  if (!id) return;
  ticked[event.target.checked ? 'add' : 'delete'](id);
  told();
});
document.addEventListener('dar-hits', told);
// A form that is sent would not say where it comes from, and be refused.
const download = async (button) => {
  button.setAttribute('aria-busy', 'true');
  try {
    const answer = await fetch('selected.zip', {method: 'POST', body: new URLSearchParams({ids: ids()})});
    const link = document.createElement('a');
    if (!answer.ok) throw new Error(await answer.text());
    link.href = URL.createObjectURL(await answer.blob());
    link.download = 'pictures.zip';
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) {
    bar().querySelector('strong').textContent = `The zip did not arrive: ${error.message}`;
  } finally { button.removeAttribute('aria-busy'); }
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button'), what = button?.dataset.do;
  if (what === 'zip') download(button);
  else if (what === 'paths') trigger('paths', {ids: ids()});
  else if (what === 'none') { ticked.clear(); told(); }
});
element.addEventListener('submit', (event) => {
  event.preventDefault();
  trigger('put', {ids: ids(), name: new FormData(event.target).get('name')});
});
