(session) => {
  try {
    const id = sessionStorage.getItem('dar-talk');
    return [session, JSON.parse(localStorage.getItem(`dar-talk-${id}`) ?? 'null')?.file ?? ''];
  } catch { return [session, '']; }
}
