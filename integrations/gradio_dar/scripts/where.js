(place) => {
  const picture = document.querySelector('dialog[open] .dar-picture'), image = picture?.querySelector('img');
  document.querySelector('dialog[open] [data-where]')?.removeAttribute('aria-busy');
  if (!image || !place) return;
  const [left, top, right, bottom] = JSON.parse(place), box = document.createElement('div');
  Object.assign(box, {className: 'dar-box', role: 'img', ariaLabel: 'Here it is most like what you said'});
  picture.querySelector('.dar-box')?.remove();
  picture.append(box);
  // The picture keeps its shape within its element, whatever becomes of the window.
  new ResizeObserver(() => {
    const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
    const width = image.naturalWidth * scale, height = image.naturalHeight * scale;
    const x = image.offsetLeft + (image.clientWidth - width) / 2, y = image.offsetTop + (image.clientHeight - height) / 2;
    Object.assign(box.style, {
      left: `${x + left * width}px`, top: `${y + top * height}px`,
      width: `${(right - left) * width}px`, height: `${(bottom - top) * height}px`,
    });
  }).observe(image);
}
