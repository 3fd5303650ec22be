// The picture of a text: the heads' weights, which step asks and which step is read.

import { player, slider } from "./base.controls.js";
import { listen, onWidth, save } from "./base.life.js";
import { element } from "./base.page.js";
import { breakIntoLines, columnOf, labelsOf, legend, paint } from "./memory_attention.columns.js";
import {
  exact,
  headsOf,
  placeOf,
  read,
  rowOf,
  sentenceOf,
  spoken,
} from "./memory_attention.numbers.js";
import { mostOf, piece, tableOf } from "./memory_attention.table.js";

// The picture of the present text and heads; `show` brings it up to date with step and layer, and
// returns the sentence. Each token is a column: the token, and a cell for each head of each model.
// `asks` is the player of the step that asks.
export function buildPicture(model, asks) {
  const text = read(model);
  const { tokens, weight } = text;
  const names = model.get("names");
  const heads = headsOf(model);
  const rows = names.flatMap((_, m) => heads.map((h) => ({ m, h })));
  // A feedback model reads the past alone: at step 0 it gives no weight, not even to itself.
  const readsItself = names.map((_, m) => weight(m, 0, 0, 0, 0) > 0);
  const columns = tokens.map((token, j) => columnOf(token, j, names, heads));
  const lines = element("div", {
    className: "lines",
    role: "img",
    style: { "--letters": Math.min(12, Math.max(...tokens.map((token) => [...token].length))) },
  });
  const arrange = () => breakIntoLines(lines, columns, () => labelsOf(names, heads));
  arrange();
  const stop = onWidth(lines, arrange);

  // The step whose weights are read out. None, or a later one: where the first head looks most.
  let point = Infinity;
  const pointAt = (j) => {
    if (j === point || j > placeOf(model, tokens).t) return;
    point = j;
    show();
  };
  const points = slider("step that is read", { step: 1 }, pointAt);
  const pointing = element("span", { className: "where" });
  const reading = element("label", { className: "reading" }, "Weight on", points, pointing);
  const table = tableOf(names, heads);

  // Where the mouse itself moves, not where the page moves below it or below a finger.
  listen(lines, "pointermove", ({ target, pointerType, buttons }) => {
    if (pointerType === "touch" || buttons) return;
    if (target.matches(".cell")) pointAt(columns.indexOf(target.closest(".column")));
  });
  listen(lines, "click", ({ target }) => {
    if (target.matches(".cell")) pointAt(columns.indexOf(target.closest(".column")));
    if (!target.matches(".token")) return;
    asks.stop();
    save(model, { step: columns.indexOf(target.closest(".column")) });
    asks.input.focus({ preventScroll: true }); // arrow keys go on from here
  });

  const show = () => {
    const { t, l } = placeOf(model, tokens);
    const name = (j) => `step ${j}, ${spoken(tokens[j])}`;
    asks.input.value = t;
    asks.where.textContent = asks.input.ariaValueText = name(t);
    if (point > t) point = rowOf(text, 0, l, heads[0], t).best ?? t;
    points.max = t;
    points.value = point;
    pointing.textContent = points.ariaValueText = name(point);
    columns.forEach((column, j) => {
      column.dataset.time = j < t ? "past" : j === t ? "present" : "future";
      column.toggleAttribute("data-point", j === point);
    });
    rows.forEach(({ m, h }, r) => {
      const row = rowOf(text, m, l, h, t);
      const end = readsItself[m] ? t + 1 : t; // the steps before this one are read
      const cells = columns.map(({ cells }) => cells[r]);
      paint(cells, row, end, `${names[m]}, head ${h + 1}`);
      const [most, pointed] = table.cells[r];
      most.replaceChildren(...mostOf(row, tokens));
      pointed.textContent = point < end ? exact(row.values[point]) : "not read";
    });
    table.pointed.forEach((node) => {
      node.replaceChildren("on ", piece(`${point} ${spoken(tokens[point])}`));
    });
    return (lines.ariaLabel = sentenceOf(model, text));
  };
  return { parts: [asks, lines, legend(readsItself), reading, table.node], show, stop };
}

export function askingPlayer(model, count) {
  const asks = player("step that asks", { count }, (step) => save(model, { step }));
  const where = element("span", { className: "where" });
  asks.append(where);
  return Object.assign(asks, { count, where });
}
