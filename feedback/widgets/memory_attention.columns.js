// The columns of the picture, broken into lines: a token, and a cell for each head of each model.

import { element } from "./base.page.js";
import { visible } from "./base.words.js";
import { exact, partsOf } from "./memory_attention.numbers.js";

// Colours each cell by its part of the row's largest weight, which is marked; those from `end` on are
// not read.
export function paint(cells, row, end, label) {
  const { values, best } = row;
  const parts = partsOf(row);
  cells.forEach((cell, j) => {
    const isRead = j < end;
    cell.dataset.read = isRead ? (j === best ? "most" : "yes") : "no";
    cell.style.setProperty("--share", isRead ? `${100 * parts[j]}%` : "0%");
    cell.title = `${label}, step ${j}: ${isRead ? exact(values[j]) : "not read"}`;
  });
}

export function columnOf(token, j, names, heads) {
  const label = { className: "token", textContent: visible(token), title: `step ${j}` };
  const groups = names.map((name) =>
    element(
      "div",
      { className: "cells", data: { model: name } },
      ...heads.map(() => element("span", { className: "cell" })),
    ),
  );
  const column = element("div", { className: "column" }, element("span", label), ...groups);
  return Object.assign(column, { text: token, cells: [...column.querySelectorAll(".cell")] });
}

// What stands at the left of a line: the models, and the numbers of the heads.
export function labelsOf(names, heads) {
  const head = (h) =>
    element("span", { className: "head" }, element("i", { textContent: "head " }), `${h + 1}`);
  const groups = names.map((name) => {
    const title = element("span", { className: "name", textContent: name });
    return element("div", { className: "cells", data: { model: name } }, title, ...heads.map(head));
  });
  return element("div", { className: "labels" }, ...groups);
}

// Puts as many columns into a line as fit, and begins the next one with a word where it can.
export function breakIntoLines(place, columns, labels) {
  const widthOf = (node) => node.getBoundingClientRect().width;
  const line = element("div", { className: "line" }, labels(), ...columns);
  place.replaceChildren(line);
  const room = widthOf(place) - widthOf(line.firstChild);
  const most = Math.floor(room / widthOf(columns[0]));
  if (!(most > 0)) return; // not on the page yet
  const lines = [];
  for (let start = 0; start < columns.length; ) {
    let end = Math.min(start + most, columns.length);
    if (end < columns.length) {
      const isSpace = (j) => /^\s$/.test(columns[j].text);
      let word = end;
      while (word > start && !isSpace(word - 1)) word--;
      if (word > start + most / 2) end = word;
    }
    lines.push(element("div", { className: "line" }, labels(), ...columns.slice(start, end)));
    start = end;
  }
  place.replaceChildren(...lines);
}

export function legend(readsItself) {
  const scale = element("span", { className: "scale" });
  const parts = [element("span", {}, "0\u00a0%", scale, "the largest of its row")];
  const mark = (read, text) => {
    const cell = element("span", { className: "cell", data: { read } });
    parts.push(element("span", {}, cell, text));
  };
  mark("most", "where the head looks most");
  if (readsItself.includes(false)) mark("no", "not read: a feedback model reads the past alone");
  return element("div", { className: "legend" }, ...parts);
}
