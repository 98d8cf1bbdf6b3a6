// A press is seen at once; what comes of it is drawn anew.
const pressed = (button) => {
  button.setAttribute('aria-busy', 'true');
  document.querySelector('.dar-page').classList.add('dar-begun');
  setTimeout(() => button.removeAttribute('aria-busy'), 20000);
};
