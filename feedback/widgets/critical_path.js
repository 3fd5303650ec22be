// Which layers wait for which: a parallel and a feedback transformer fill a grid (chapter 3).
//
// Shown are a grid for each model, a player of the steps in which it is filled, and a table and a
// sentence that count. Tokens count from 0, layers from 1; layer 0 is the embedding. The state is
// the five traits: how many tokens and layers there are, where a path begins and ends, and how many
// steps have passed. What is counted stands in critical_path.numbers.js, the grids in
// critical_path.grid.js.

import { menu, player } from "./base.controls.js";
import { guarded, listen, onChange, onWidth, save, widget } from "./base.life.js";
import { range } from "./base.numbers.js";
import { element, frame, liveSentence } from "./base.page.js";
import { drawGrid } from "./critical_path.grid.js";
import {
  depth,
  describe,
  layersOnPath,
  MODELS,
  stepsDone,
  stepsOf,
  tokensOnPath,
} from "./critical_path.numbers.js";

const TRAITS = ["tokens", "layers", "start", "end", "time"];
const KEY =
  "The number in a cell is the step that fills it. Strong cells lie on the path; where its line " +
  "is dashed it is still to come. Click a token to begin there, a cell to end above it.";

export default widget(({ model, el }) => {
  let picture;
  const draw = guarded(el, () => {
    picture?.stop();
    picture = buildPicture(model, el);
    el.replaceChildren(picture.node);
  });
  draw();
  const offs = [
    onChange(model, ["tokens", "layers"], draw),
    onChange(model, ["start", "end", "time"], () => picture?.show()),
  ];
  return () => [...offs, picture?.stop].forEach((off) => off?.());
});

function buildPicture(model, el) {
  const state = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const set = (values) => save(model, values);
  // The path cannot lead back: the other end gives way.
  const begin = (token) => set({ end: Math.max(token, model.get("end")), start: token });
  const finish = (token) => set({ start: Math.min(token, model.get("start")), end: token });

  const { tokens, layers, start, end, time } = state();
  const count = tokens * layers + 1;
  const timing = { count, value: time, perSecond: Math.max(4, count / 12) };
  const steps = player("step", timing, (time) => set({ time }));
  const clock = element("span", { className: "clock" });
  steps.append(clock);
  const numbers = range(0, tokens).map((token) => [token, token]);
  const from = menu("Path from token", numbers, start, (token) => begin(Number(token)));
  const to = menu("to output", numbers, end, (token) => finish(Number(token)));

  const grids = MODELS.map(() => element("div"));
  const panels = MODELS.map((name, i) => {
    const heading = element("p", { className: "heading", textContent: `${name} transformer` });
    return element("div", { className: "panel", data: { model: name } }, heading, grids[i]);
  });
  for (const grid of grids) {
    listen(grid, "click", ({ target }) => {
      const { token, layer } = target.closest("[data-token]")?.dataset ?? {};
      if (token !== undefined) (layer === "0" ? begin : finish)(Number(token));
    });
  }
  const side = { "--least": `${5 + 1.9 * tokens}rem` }; // narrower grids go below one another
  const table = buildTable();
  // Long enough to stay silent while time runs.
  const sentence = liveSentence(describe(state()), 600);

  const node = frame(
    "critical-path",
    "Critical path",
    element("div", { className: "controls" }, from, to),
    steps,
    element("div", { className: "panels", style: side }, ...panels),
    element("p", { className: "key", textContent: KEY }),
    table.node,
    sentence,
  );

  const widths = MODELS.map(() => 0);
  const show = guarded(el, () => {
    const now = state();
    steps.input.value = now.time;
    steps.input.ariaValueText = `${now.time} of ${count - 1}`;
    clock.textContent = `step ${now.time} of ${count - 1}`;
    from.select.value = now.start;
    to.select.value = now.end;
    grids.forEach((grid, i) => {
      if (widths[i] > 0) grid.replaceChildren(drawGrid(MODELS[i], now, widths[i]));
    });
    table.show(now);
    sentence.say(describe(now));
  });
  const offs = grids.map((grid, i) =>
    onWidth(grid, (width) => {
      widths[i] = width;
      show();
    }),
  );
  show();
  return { node, show, stop: () => [...offs, steps.stop].forEach((off) => off()) };
}

// The table of what can be counted.
function buildTable() {
  const rows = [
    [() => "steps done", (name, s) => `${stepsDone(name, s)} of ${stepsOf(name, s)}`],
    [({ end }) => `layers below output ${end}`, depth],
    [({ start }) => `layers on the path from token ${start}`, layersOnPath],
    [() => "tokens on that path", tokensOnPath],
  ];
  const heads = rows.map(() => element("th", { scope: "row" }));
  const cells = rows.map(() => MODELS.map(() => element("td")));
  const models = MODELS.map((name) => element("th", { scope: "col", textContent: name }));
  const node = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, element("td"), ...models)),
    element("tbody", {}, ...rows.map((_, i) => element("tr", {}, heads[i], ...cells[i]))),
  );
  const show = (state) =>
    rows.forEach(([head, count], i) => {
      heads[i].textContent = head(state);
      MODELS.forEach((name, j) => (cells[i][j].textContent = count(name, state)));
    });
  return { node, show };
}
