// Bytes over the length of the text, with the length that was chosen marked.

import { label, linearScale } from "./base.axes.js";
import { grouped } from "./base.numbers.js";
import { drawing } from "./base.page.js";
import { ceiling, KINDS, keptBytes, readable } from "./cache_growth.numbers.js";

// Each kind has a shape of its own beside its colour.
const SHAPES = {
  outputs: "M-5 0L0 -6L5 0L0 6Z",
  sum: "M-5 4.5L0 -5L5 4.5Z",
  shared: "M-4.5 -4.5H4.5V4.5H-4.5Z",
  every: "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
};

export function mark({ id }, x, y) {
  return drawing("path", { class: "mark", d: SHAPES[id], transform: `translate(${x} ${y})` });
}

export function drawChart(state, width) {
  const [left, right, top, bottom, height] = [68, 28, 14, 44, 230];
  const longest = ceiling(2 * state.tokens); // what comes next is in sight
  const at = (tokens) => KINDS.map((kind) => keptBytes(kind, { ...state, tokens }));
  const most = ceiling(Math.max(...at(longest)), 2);
  const x = linearScale(0, longest, left, width - right);
  const y = linearScale(0, most, height - bottom, top);

  const parts = [0, 1, 2].flatMap((half) => {
    const [size, tokens] = [(most * half) / 2, (longest * half) / 2];
    return [
      drawing("path", { class: "rule", d: `M${left} ${y(size)}H${width - right}` }),
      label("tick beside", left - 8, y(size), readable(size)),
      label("tick below", x(tokens), y(0) + 16, grouped(tokens)),
    ];
  });
  parts.push(label("tick below", (left + width - right) / 2, height - 8, "tokens"));
  parts.push(drawing("path", { class: "chosen", d: `M${x(state.tokens)} ${y(0)}V${top}` }));
  const [now, last] = [at(state.tokens), at(longest)];
  KINDS.forEach((kind, i) => {
    const line = { class: "line", d: `M${x(0)} ${y(0)}L${x(longest)} ${y(last[i])}` };
    const point = mark(kind, x(state.tokens), y(now[i]));
    parts.push(drawing("g", { "data-kind": kind.id }, drawing("path", line), point));
  });
  const name =
    `Bytes kept against length: straight lines from 0, at ${grouped(longest)} tokens ` +
    KINDS.map((kind, i) => `${kind.name} ${readable(last[i])}`).join(", ");
  const view = { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": name };
  return drawing("svg", view, ...parts);
}
