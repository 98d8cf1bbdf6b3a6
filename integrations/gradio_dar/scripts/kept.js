// The conversation of this tab is kept in the browser; the last ten are.
const keep = (talk) => {
  const before = sessionStorage.getItem('dar-talk');
  sessionStorage.setItem('dar-talk', talk.id);
  // The address is a link to this conversation; "back" returns to the one before.
  const address = talk.file ? `#talk=${talk.id}` : location.pathname + location.search;
  if (before === talk.id || !location.hash) history.replaceState(history.state, '', address);
  else if (location.hash !== address) history.pushState(history.state, '', address);
  if (!talk.file) return;
  const ids = JSON.parse(localStorage.getItem('dar-talks') ?? '[]').filter((id) => id !== talk.id);
  for (const id of ids.splice(9)) localStorage.removeItem(`dar-talk-${id}`);
  for (;;) {
    try {
      localStorage.setItem(`dar-talk-${talk.id}`, JSON.stringify(talk));
      break;
    } catch (error) {
      // There is no more room: the oldest goes.
      if (!ids.length) throw error;
      localStorage.removeItem(`dar-talk-${ids.pop()}`);
    }
  }
  localStorage.setItem('dar-talks', JSON.stringify([talk.id, ...ids]));
};
watch('value', () => {
  try { if (props.value) keep(JSON.parse(props.value)); } catch { /* The browser keeps nothing here. */ }
});
