// What was shown last stays: an answer that comes late is older than what a click has shown since.
const stampOf = (text) => Number(/^<!--(\d+)-->/.exec(text)?.[1] ?? 0);
let newest = props.value;
watch('value', () => {
  if (!props.value || stampOf(props.value) >= stampOf(newest)) newest = props.value;
  else props.value = newest;
});
