// A drawing goes into the message as a picture that is pasted would.
const dialog = element.querySelector('dialog'), sheet = element.querySelector('canvas');
const pen = sheet.getContext('2d'), use = element.querySelector('[data-do=use]');
let inked = null;
const clear = () => {
  pen.fillStyle = 'white';
  pen.fillRect(0, 0, sheet.width, sheet.height);
  Object.assign(pen, {lineWidth: 6, lineCap: 'round', lineJoin: 'round', strokeStyle: '#222'});
  inked = null;
  use.disabled = true;
};
const line = (event) => {
  const box = sheet.getBoundingClientRect(), scale = sheet.width / box.width;
  const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
  const [left, top, right, bottom] = inked ?? [x, y, x, y];
  inked = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  pen.lineTo(x, y);
  pen.stroke();
  use.disabled = false;
};
sheet.addEventListener('pointerdown', (event) => {
  sheet.setPointerCapture(event.pointerId);
  pen.beginPath();
  line(event);
});
sheet.addEventListener('pointermove', (event) => {
  if (!sheet.hasPointerCapture(event.pointerId)) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) line(each);
});
// What is drawn fills the picture, as things fill pictures.
const filled = () => {
  const [left, top, right, bottom] = inked, side = 1.2 * Math.max(right - left, bottom - top, 64);
  const whole = Object.assign(document.createElement('canvas'), {width: 512, height: 512});
  const onto = whole.getContext('2d');
  onto.fillStyle = 'white';
  onto.fillRect(0, 0, 512, 512);
  const x = (left + right - side) / 2, y = (top + bottom - side) / 2;
  onto.drawImage(sheet, x, y, side, side, 0, 0, 512, 512);
  return whole;
};
const given = (drawing) => {
  const data = new DataTransfer(), box = document.querySelector('#message textarea');
  data.items.add(new File([drawing], 'drawing.png', {type: 'image/png'}));
  dialog.close();
  box.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, cancelable: true, clipboardData: data}));
  box.focus();
};
element.addEventListener('click', (event) => {
  const what = event.target.closest('button')?.dataset.do;
  if (what === 'draw') dialog.showModal();
  else if (what === 'clear') clear();
  else if (what === 'use') filled().toBlob(given, 'image/png');
  if (event.target === dialog) dialog.close();
});
clear();
