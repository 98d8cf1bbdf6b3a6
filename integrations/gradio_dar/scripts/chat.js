// Examples and earlier conversations are buttons; what was said last stays in view.
// Several stores in one server keep theirs apart.
const room = location.pathname === '/' ? '' : location.pathname;
const keptOf = (id) => JSON.parse(localStorage.getItem(`${room}dar-talk-${id}`) ?? 'null');
const earlier = () => {
  const list = element.querySelector('.dar-earlier ul');
  if (!list || list.children.length) return;
  const ids = JSON.parse(localStorage.getItem(`${room}dar-talks`) ?? '[]');
  for (const id of ids) {
    const kept = keptOf(id);
    if (!kept) continue;
    const line = document.createElement('li'), go = document.createElement('button');
    Object.assign(go, {type: 'button', className: 'dar-button', textContent: kept.name});
    go.dataset.kept = id;
    const drop = document.createElement('button');
    Object.assign(drop, {type: 'button', className: 'dar-icon', textContent: '×'});
    drop.setAttribute('aria-label', `Forget: ${kept.name}`);
    drop.dataset.forget = id;
    line.append(go, drop);
    list.append(line);
  }
  element.querySelector('.dar-earlier').hidden = !list.children.length;
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {id, kept, forget} = button.dataset;
  if (forget) {
    localStorage.removeItem(`${room}dar-talk-${forget}`);
    button.closest('li').remove();
    return;
  }
  pressed(button);
  if (kept) trigger('resume', {kept: keptOf(kept)?.file ?? ''});
  else if (id) trigger('click', {id});
});
window.addEventListener('hashchange', () => {
  const id = new URLSearchParams(location.hash.slice(1)).get('talk');
  if (id && id !== sessionStorage.getItem(`${room}dar-talk`)) trigger('resume', {kept: keptOf(id)?.file ?? 'missing'});
});
const shown = () => {
  const chat = element.querySelector('.dar-chat');
  if (chat) chat.scrollTop = chat.scrollHeight;
  try { earlier(); } catch { /* The browser keeps nothing here. */ }
};
watch('value', shown);
shown();
