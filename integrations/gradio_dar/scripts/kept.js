// The conversation of this tab is kept in the browser; the last ten are.
const room = location.pathname === '/' ? '' : location.pathname;
const keep = (talk) => {
  const before = sessionStorage.getItem(`${room}dar-talk`);
  sessionStorage.setItem(`${room}dar-talk`, talk.id);
  // The address is a link to this conversation; "back" returns to the one before.
  const address = talk.file ? `#talk=${talk.id}` : location.pathname + location.search;
  if (before === talk.id || !location.hash) history.replaceState(history.state, '', address);
  else if (location.hash !== address) history.pushState(history.state, '', address);
  if (!talk.file) return;
  const ids = JSON.parse(localStorage.getItem(`${room}dar-talks`) ?? '[]').filter((id) => id !== talk.id);
  for (const id of ids.splice(9)) localStorage.removeItem(`${room}dar-talk-${id}`);
  for (;;) {
    try {
      localStorage.setItem(`${room}dar-talk-${talk.id}`, JSON.stringify(talk));
      break;
    } catch (error) {
      // There is no more room: the oldest goes.
      if (!ids.length) throw error;
      localStorage.removeItem(`${room}dar-talk-${ids.pop()}`);
    }
  }
  localStorage.setItem(`${room}dar-talks`, JSON.stringify([talk.id, ...ids]));
};
// What comes late is older than what is kept; see newest.js.
let kept = 0;
watch('value', () => {
  try {
    const talk = JSON.parse(props.value || 'null');
    if (!talk || talk.stamp < kept) return;
    kept = talk.stamp;
    keep(talk);
  } catch { /* The browser keeps nothing here. */ }
});
