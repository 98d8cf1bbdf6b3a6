(message) => {
  // Room for what comes is made at once; see hits.js.
  document.querySelector('.dar-page').classList.add('dar-begun');
  return [message, {text: '', files: []}];
}
