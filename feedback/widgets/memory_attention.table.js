// The numbers of the picture as a table.

import { element } from "./base.page.js";
import { exact, spoken } from "./memory_attention.numbers.js";

// The numbers of the picture: a row for each head, for each model where it looks most, and what it
// gives to one step. `cells` has a pair for each row of the picture.
export function tableOf(names, heads) {
  const head = (text, more) => element("th", { textContent: text, scope: "col", ...more });
  const pointed = names.map(() => head(""));
  const tops = names.map((name) =>
    head(name, { scope: "colgroup", colSpan: 2, data: { model: name } }),
  );
  const cells = names.map(() => heads.map(() => [element("td"), element("td")]));
  const rows = heads.map((h, i) =>
    element("tr", {}, head(h + 1, { scope: "row" }), ...cells.flatMap((pairs) => pairs[i])),
  );
  const node = element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, head("head", { rowSpan: 2 }), ...tops),
      element("tr", {}, ...pointed.flatMap((node) => [head("most on step"), node])),
    ),
    element("tbody", {}, ...rows),
  );
  return { node, cells: cells.flat(), pointed };
}

// Where a head looks most, as the table says it.
export function mostOf({ values, best }, tokens) {
  if (best === undefined) return ["nothing"];
  return [piece(`${best} ${spoken(tokens[best])}`), " ", piece(exact(values[best]))];
}

// A part of a text in which no line breaks.
export const piece = (text) => element("span", { className: "piece", textContent: text });
