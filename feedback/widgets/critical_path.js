// Which layers wait for which: a parallel and a feedback transformer fill a grid (chapter 3).
//
// Tokens count from 0, layers from 1; layer 0 is the embedding. critical_path.py says what the
// numbers are; the functions under "numbers" are those of that file.

const MODELS = ["parallel", "feedback"];
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

// ---- numbers ----

// The step that fills a cell: also the most layers on any one path that ends in it.
function doneAt(name, token, layer, layers) {
  return name === "parallel" ? layer : token * layers + layer;
}

const stepsOf = (name, { tokens, layers }) => doneAt(name, tokens - 1, layers, layers);
const stepsDone = (name, state) => Math.min(state.time, stepsOf(name, state));
const depth = (name, { end, layers }) => doneAt(name, end, layers, layers);

// The cells [token, layer] on a longest path from the embedding of `start` to output `end`.
function longestPath(name, { start, end, layers }) {
  const rows = range(1, layers + 1);
  if (name === "parallel") {
    return rows.map((layer) => [start + Math.floor((layer * (end - start)) / layers), layer]);
  }
  return range(start, end + 1).flatMap((token) => rows.map((layer) => [token, layer]));
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

// ---- picture ----

function buildPicture(model, el) {
  const state = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
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

// One grid: tokens to the right, layers upwards, and above them what is handed on.
function drawGrid(name, state, width) {
  const { tokens, layers, time } = state;
  const at = positions(tokens, layers, width);
  const filled = stepsDone(name, state) * (name === "parallel" ? tokens : 1);
  const label = `${name} transformer: ${filled} of ${tokens * layers} cells are filled`;
  const rows = range(0, layers + 1).map((layer) =>
    words("row", 0, at.center(layer), layer > 0 ? `layer ${layer}` : "token"),
  );
  return drawing(
    "svg",
    { viewBox: `0 0 ${width} ${at.height}`, height: at.height, role: "img", "aria-label": label },
    ...rows,
    ...drawPath(name, state, at),
    ...drawCells(name, state, at),
    ...(name === "feedback" ? drawMemories(state, at) : []),
    drawOutput(state, at, width),
  );
}

// Where things are. The path runs in the gaps between the cells.
function positions(tokens, layers, width) {
  const [left, top] = [58, 36];
  const column = Math.min(64, (width - left - 6) / tokens);
  const row = Math.max(22, Math.min(36, column));
  const gap = Math.max(3, Math.min(9, column / 4));
  const upper = (layer) => top + (layers - layer) * row + gap / 2;
  return {
    cell: { width: column - gap, height: row - gap },
    height: top + row * (layers + 1),
    memory: 24,
    middle: (token) => left + (token + 0.5) * column, // across
    right: (token) => left + (token + 1) * column,
    upper, // and down
    center: (layer) => upper(layer) + (row - gap) / 2,
    lower: (layer) => upper(layer) + row - gap,
    above: (layer) => upper(layer) - gap / 2,
  };
}

// One line into each cell of the path, and one out of the last.
function drawPath(name, state, at) {
  const { layers, start, end, time } = state;
  const line = (points, [token, layer]) => {
    const done = time >= doneAt(name, token, layer, layers);
    return drawing("polyline", { class: done ? "line done" : "line", points: points.join(" ") });
  };
  const path = longestPath(name, state);
  const lines = path.map(([token, layer], i) => {
    const [lastToken, lastLayer] = i > 0 ? path[i - 1] : [start, 0];
    const [from, to] = [at.middle(lastToken), at.middle(token)];
    const up = [[from, at.above(lastLayer)]];
    const overMemory = [
      [from, at.memory],
      [at.right(lastToken), at.memory],
      [at.right(lastToken), at.above(0)],
    ];
    const bends = layer > lastLayer ? up : overMemory;
    const turn = [to, bends.at(-1)[1]];
    const ends = [[from, at.upper(lastLayer)], [to, at.lower(layer)]];
    return line([ends[0], ...bends, turn, ends[1]], [token, layer]);
  });
  const x = at.middle(end);
  const out = line([[x, at.upper(layers)], [x, 18]], [end, layers]);
  return [...lines, out, drawing("path", { class: "tip", d: `M${x - 5} 20h10l-5 -7z` })];
}

function drawCells(name, state, at) {
  const { tokens, layers, start, time } = state;
  const path = new Set([[start, 0], ...longestPath(name, state)].map(String));
  const rows = range(0, layers + 1);
  const cells = range(0, tokens).flatMap((token) => rows.map((layer) => [token, layer]));
  return cells.map(([token, layer]) => {
    const step = doneAt(name, token, layer, layers);
    const kinds = {
      token: layer === 0,
      done: layer > 0 && time >= step,
      now: layer > 0 && time === step,
      path: path.has(`${token},${layer}`),
    };
    const classes = Object.keys(kinds).filter((kind) => kinds[kind]);
    const what = kinds.token ? `token ${token}` : `token ${token}, layer ${layer}: step ${step}`;
    const number = kinds.token ? token : kinds.done ? step : "";
    const longest = String(kinds.token ? tokens - 1 : stepsOf(name, state));
    const fits = at.cell.width > 8.5 * longest.length;
    return drawing(
      "g",
      { class: ["cell", ...classes].join(" "), "data-token": token, "data-layer": layer },
      drawing("title", {}, what),
      drawing("rect", {
        ...at.cell,
        x: at.middle(token) - at.cell.width / 2,
        y: at.upper(layer),
        rx: Math.min(at.cell.width / 3, kinds.token ? 10 : 3),
      }),
      words("number", at.middle(token), at.center(layer), fits ? number : ""),
    );
  });
}

// Each token's memory, which later tokens read; it waits for all layers of its token.
function drawMemories({ tokens, layers, time }, at) {
  const circles = range(0, tokens).map((token) => {
    const done = time >= doneAt("feedback", token, layers, layers);
    const title = drawing("title", {}, `memory of token ${token}`);
    const place = { cx: at.right(token), cy: at.memory, r: 4 };
    return drawing("circle", { class: done ? "memory done" : "memory", ...place }, title);
  });
  return [words("row", 0, at.memory, "memory"), ...circles];
}

// The name of the output, kept inside the picture.
function drawOutput({ end }, at, width) {
  const x = at.middle(end);
  const side = x < width / 4 ? "start" : x > 0.75 * width ? "end" : "middle";
  const shift = { start: -8, middle: 0, end: 8 }[side];
  const text = words("output", x + shift, 6, `output ${end}`);
  text.setAttribute("text-anchor", side);
  return text;
}

function words(className, x, y, text) {
  return drawing("text", { class: className, x, y }, `${text}`);
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

const layersOnPath = (name, state) => longestPath(name, state).length;

function tokensOnPath(name, state) {
  return new Set([state.start, ...longestPath(name, state).map(([token]) => token)]).size;
}

// ---- words ----

function describe(state) {
  const each = (count) => MODELS.map((name) => `${name} ${count(name)}`).join(", ");
  return (
    `Steps done: ${each((name) => `${stepsDone(name, state)} of ${stepsOf(name, state)}`)}. ` +
    `Layers on the longest path to output ${state.end}: ${each((name) => depth(name, state))}; ` +
    `from token ${state.start}: ${each((name) => layersOnPath(name, state))}.`
  );
}
