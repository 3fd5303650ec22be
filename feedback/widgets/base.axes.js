// Where values stand on the axes of a chart, and the text beside them.

import { range } from "./base.numbers.js";
import { drawing } from "./base.page.js";

export const linearScale = (low, high, from, to) => (value) =>
  from + ((to - from) * (value - low)) / (high - low);

export const logScale = (low, high, from, to) => (value) =>
  from + ((to - from) * Math.log(value / low)) / Math.log(high / low);

// A text at a place of a drawing.
export function label(className, x, y, text, attributes = {}) {
  return drawing("text", { class: className, x, y, ...attributes }, `${text}`);
}

// Round numbers within low..high: of the series that are tried, the first that gives three.
const FIRST_DIGITS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7]];
FIRST_DIGITS.push(range(0, 18).map((i) => 1 + i / 2));
FIRST_DIGITS.push(range(0, 90).map((i) => 1 + i / 10));

export function roundNumbers(low, high) {
  const [first, last] = [low, high].map((value) => Math.floor(Math.log10(value)));
  const powers = range(first, last + 1).map((power) => 10 ** power);
  let found;
  for (const digits of FIRST_DIGITS) {
    found = powers.flatMap((power) => digits.map((digit) => digit * power));
    found = found.filter((value) => value >= low && value <= high);
    if (found.length >= 3) break;
  }
  return found;
}

// Heights for labels, as near to those given as they can be with `gap` from one to the next.
export function spread(heights, gap, top, bottom) {
  const order = range(0, heights.length).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  let limit = top;
  for (const i of order) {
    placed[i] = Math.max(placed[i], limit);
    limit = placed[i] + gap;
  }
  limit = bottom;
  for (const i of order.reverse()) {
    placed[i] = Math.min(placed[i], limit);
    limit = placed[i] - gap;
  }
  return placed.map((height) => Math.max(height, top));
}
