// How long the rows of the next updates are: short at first, for what is learned on them carries
// over to longer ones. As feedback/training/settings.py has it in `length_after`.

export const EVERY = 10; // updates between two checks
const EASY = 0.3; // nats a label: below it rows become twice as long
const COLLAPSED = 0.9; // of the untrained loss: above it they become half as long

export function lengthAfter(length, loss, untrained, { shortest, longest }) {
  if (loss < EASY) return Math.min(2 * length, longest);
  if (loss > COLLAPSED * untrained) return Math.max(Math.floor(length / 2), shortest);
  return length;
}
