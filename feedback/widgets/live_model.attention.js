// Where the heads of a layer look in the memory.

import { menu } from "./base.controls.js";
import { percent, range } from "./base.numbers.js";
import { element } from "./base.page.js";
import { quoted, visible } from "./base.words.js";
import { note, part, setText } from "./live_model.elements.js";

const RECENT = 48; // memory vectors of which it is shown how much the heads take from them

export function attentionPart(model, { decode }, { redraw }) {
  const { heads, layers, memory: kept } = model.get("config");
  const options = range(0, layers).map((l) => [String(l), `layer ${l + 1}`]);
  const layer = menu("Where the heads look, in", options, String(layers - 1), redraw);
  layer.classList.add("title");
  const cellsOf = (count) => range(0, count).map(() => element("span"));
  const rows = range(0, heads).map((head) => {
    const cells = cellsOf(RECENT);
    const row = element("div", { className: "cells", role: "img" }, ...cells, element("span"));
    row.lastChild.dataset.empty = "";
    const most = element("span", { className: "most" });
    const name = element("span", { textContent: `head ${head + 1}` });
    return { cells, row, most, node: element("div", { className: "head" }, name, row, most) };
  });
  const letters = cellsOf(RECENT + 1);
  const axis = element("div", { className: "cells axis", ariaHidden: "true" }, ...letters);
  const below = element("div", { className: "head" }, element("span"), axis, element("span"));
  const count = note();
  const top = element("div", { className: "controls" }, layer);
  return {
    node: part("Where the heads look", top, ...rows.map(({ node }) => node), below, count),
    show({ tokens, place, record }) {
      const attention = record.attention[Number(layer.select.value)];
      const n = attention[0].length; // memory vectors, those of the n characters before this one
      const largest = Math.max(0, ...attention.map((shares) => Math.max(...shares)));
      letters.forEach((cell, i) => {
        const token = tokens[place - RECENT + i];
        setText(cell, token === undefined ? "" : visible(decode([token])));
      });
      attention.forEach((shares, head) => {
        const { cells, row, most } = rows[head];
        cells.forEach((cell, i) => {
          const share = shares[n - RECENT + i];
          cell.toggleAttribute("data-empty", share === undefined);
          cell.style.setProperty("--share", `${((100 * (share ?? 0)) / largest).toFixed(1)}%`);
        });
        const best = shares.indexOf(Math.max(...shares));
        const character = n > 0 && quoted(visible(decode([tokens[place - n + best]])));
        setText(
          most,
          n > 0 ? `${percent(shares[best])}\u00a0% ${character}, ${n - best} back` : "nothing yet",
        );
        row.ariaLabel = `head ${head + 1} of ${layer.select.selectedOptions[0].text}: at most ${most.textContent}`;
      });
      const darkest = n > 0 ? ` The darkest cell is ${percent(largest)}\u00a0%.` : "";
      const held = `The memory holds ${n} vectors; it keeps the last ${kept}.`;
      setText(count, `${held}${darkest} On the right, the character that looks.`);
    },
  };
}
