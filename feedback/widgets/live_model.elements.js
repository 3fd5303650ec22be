// What the parts of the picture are made of.

import { element } from "./base.page.js";

// A part of the picture; `title` says what it is.
export function part(title, ...children) {
  return element("div", { className: "part", role: "group", ariaLabel: title }, ...children);
}

export const titleOf = (...text) => element("span", { className: "title" }, ...text);
export const note = (text = "") => element("p", { className: "note", textContent: text });

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// What the rows are called: the embedding, and each layer.
export const namesOf = (learned) => learned.map((_, l) => (l === 0 ? "embedding" : `layer ${l}`));

// A line with a bar: its label, the bar itself, and a number.
export function barOf(className = "bar") {
  const [label, track, number] = ["label", "track", "percent"].map((name) =>
    element("span", { className: name }),
  );
  return { label, track, number, node: element("div", { className }, label, track, number) };
}
