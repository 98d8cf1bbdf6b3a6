(session) => {
  try {
    const linked = new URLSearchParams(location.hash.slice(1)).get('talk');
    const kept = localStorage.getItem(`dar-talk-${linked ?? sessionStorage.getItem('dar-talk')}`);
    return [session, JSON.parse(kept ?? 'null')?.file ?? (linked ? 'missing' : '')];
  } catch { return [session, '']; }
}
