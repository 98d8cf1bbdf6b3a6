// Looking at a hit is no turn; judging it is.
const EVENTS = {full: 'look', details: 'look', like: 'judge', unlike: 'judge'};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-action]');
  if (!button) return;
  const {action, id} = button.dataset;
  trigger(EVENTS[action], {action, id});
});
