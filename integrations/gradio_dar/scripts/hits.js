// Looking at a hit is no turn; judging it is.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {action, id, look, say, play} = button.dataset;
  if (look) trigger('look', {id: look});
  else if (play !== undefined) playing(button);
  else if (say) { pressed(button); trigger('say', {id: say}); }
  else if (action) {
    pressed(button);
    button.closest('[data-hit]').classList.add(`dar-to-${action}`);
    trigger('judge', {action, id});
  }
});
// The example on opening plays itself; it can be paused, and played again.
const scenes = (button) => button.closest('.dar-player').getAnimations({subtree: true});
const playing = (button) => {
  const all = scenes(button), runs = all.filter((one) => one.playState === 'running');
  const paused = all.filter((one) => one.playState === 'paused');
  for (const one of runs) one.pause();
  if (!runs.length) for (const one of paused.length ? paused : all) one.play();
  button.textContent = runs.length ? 'Play' : 'Pause';
  if (!runs.length) ending(button);
};
const ending = (button) => Promise.all(scenes(button).map((one) => one.finished)).then(
  () => { button.textContent = 'Play again'; }, () => {});
const player = element.querySelector('[data-play]');
if (player) { if (scenes(player).length) ending(player); else player.hidden = true; }
const tiles = () => [...element.querySelectorAll('[data-hit]')];
const middle = (tile) => tile.offsetLeft + tile.offsetWidth / 2;
// The tile in the next row, or the one before, that is straight below or above.
const across = (all, from, step) => {
  const rows = [...new Set(all.map((tile) => tile.offsetTop))];
  const row = rows[rows.indexOf(from.offsetTop) + step];
  const there = all.filter((tile) => tile.offsetTop === row);
  const far = (tile) => Math.abs(middle(tile) - middle(from));
  return there.sort((one, other) => far(one) - far(other))[0];
};
element.addEventListener('keydown', (event) => {
  const tile = event.target.closest('[data-hit]');
  if (!tile || event.ctrlKey || event.altKey || event.metaKey) return;
  const action = {l: 'like', x: 'unlike'}[event.key.toLowerCase()];
  if (action) { tile.querySelector(`[data-action=${action}]`)?.click(); return; }
  if (event.key.toLowerCase() === 's') { tile.querySelector('[data-tick]')?.click(); return; }
  const all = tiles(), place = all.indexOf(tile);
  const next = {
    ArrowRight: () => all[place + 1], ArrowLeft: () => all[place - 1],
    ArrowDown: () => across(all, tile, 1), ArrowUp: () => across(all, tile, -1),
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  next.querySelector('.dar-open').focus();
});
// Whoever was among the hits is there again after they were drawn anew; hits move to their places.
let focused = null, places = new Map();
element.addEventListener('focusin', (event) => {
  const tile = event.target.closest('[data-hit]');
  if (tile) focused = {id: tile.dataset.hit, place: tiles().indexOf(tile)};
});
document.addEventListener('focusin', (event) => { if (!element.contains(event.target)) focused = null; });
document.addEventListener('pointerdown', (event) => { if (!element.contains(event.target)) focused = null; });
const still = matchMedia('(prefers-reduced-motion: reduce)');
watch('value', () => {
  document.dispatchEvent(new Event('dar-hits'));
  document.querySelector('.dar-page').classList.toggle('dar-begun', !element.querySelector('[data-state=empty]'));
  const all = tiles(), now = new Map(all.map((tile) => [tile.dataset.hit, [tile.offsetLeft, tile.offsetTop]]));
  for (const tile of still.matches ? [] : all) {
    const [left, top] = now.get(tile.dataset.hit), from = places.get(tile.dataset.hit);
    if (from && (from[0] !== left || from[1] !== top))
      tile.animate([{transform: `translate(${from[0] - left}px, ${from[1] - top}px)`}, {transform: 'none'}], {duration: 350, easing: 'ease-out'});
    else if (!from && places.size) tile.animate([{opacity: 0}, {opacity: 1}], {duration: 350});
  }
  places = now;
  const active = document.activeElement;
  if (!focused || (active !== document.body && !element.contains(active))) return;
  const same = all.find((tile) => tile.dataset.hit === focused.id) ?? all[focused.place];
  same?.querySelector('.dar-open').focus({preventScroll: true});
});
