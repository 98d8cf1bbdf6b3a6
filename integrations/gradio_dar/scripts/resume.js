(session) => {
  try {
    const room = location.pathname === '/' ? '' : location.pathname;
    const linked = new URLSearchParams(location.hash.slice(1)).get('talk');
    const kept = localStorage.getItem(`${room}dar-talk-${linked ?? sessionStorage.getItem(`${room}dar-talk`)}`);
    return [session, JSON.parse(kept ?? 'null')?.file ?? (linked ? 'missing' : '')];
  } catch { return [session, '']; }
}
