// How a model is drawn: a colour, a marker and a pattern of dashes, so that colour is never alone.

import { drawing, element } from "./base.page.js";

const CIRCLE = "M5.5 0a5.5 5.5 0 1 1-11 0a5.5 5.5 0 1 1 11 0z";
const LOOKS = {
  parallel: [CIRCLE, ""],
  "feedback-kv": ["M-5-5h10v10h-10z", ""],
  "feedback-kv, loop": ["M0-7L7 0 0 7-7 0z", "2 4"],
  feedback: ["M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z", "12 4 2 4"],
  "feedback, loop": ["M0 6.5L6-4.5H-6z", "2 4"],
};

// The first of the runs steps back, hollow and pale, when another lies over it.
export const stepsBack = (run, count) => run < count - 1;

// Gives a node the colour of its model, and says whether its run steps back.
export function dress(node, variant, back = false) {
  node.classList.add("ink");
  node.dataset.model = variant.split(",")[0];
  if (back) node.classList.add("back");
  return node;
}

export function marker(variant, x, y, title) {
  const [d] = LOOKS[variant] ?? [CIRCLE];
  const shape = drawing("path", { class: "marker", d, transform: `translate(${x} ${y})` });
  if (title) shape.append(drawing("title", {}, title));
  return shape;
}

export function stroke(variant, x1, y1, x2, y2) {
  const dashes = LOOKS[variant]?.[1] ?? "";
  return drawing("line", { class: "stroke", "stroke-dasharray": dashes, x1, y1, x2, y2 });
}

export function swatch(variant, back = false) {
  const parts = [stroke(variant, 0, 8, 36, 8), marker(variant, 18, 8)];
  const attributes = { class: "swatch", viewBox: "0 0 36 16", "aria-hidden": "true" };
  return dress(drawing("svg", attributes, ...parts), variant, back);
}

export function runKey(name, number, count) {
  const back = stepsBack(number, count);
  const key = drawing("svg", { class: "swatch", viewBox: "0 0 36 16", "aria-hidden": "true" });
  key.append(stroke("parallel", 0, 8, 36, 8), marker("parallel", 18, 8));
  key.classList.add("ink", ...(back ? ["back"] : []));
  return element("span", { className: "control" }, key, `${name}: ${back ? "hollow" : "filled"}`);
}
