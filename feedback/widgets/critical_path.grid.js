// The grid of one model: its cells, the path through them, and what is handed on above them.

import { label } from "./base.axes.js";
import { range } from "./base.numbers.js";
import { drawing } from "./base.page.js";
import { doneAt, longestPath, stepsDone, stepsOf } from "./critical_path.numbers.js";

// One grid: tokens to the right, layers upwards, and above them what is handed on.
export function drawGrid(name, state, width) {
  const { tokens, layers } = state;
  const at = positions(tokens, layers, width);
  const filled = stepsDone(name, state) * (name === "parallel" ? tokens : 1);
  const title = `${name} transformer: ${filled} of ${tokens * layers} cells are filled`;
  const rows = range(0, layers + 1).map((layer) =>
    label("row", 0, at.center(layer), layer > 0 ? `layer ${layer}` : "token"),
  );
  return drawing(
    "svg",
    { viewBox: `0 0 ${width} ${at.height}`, height: at.height, role: "img", "aria-label": title },
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
    const ends = [
      [from, at.upper(lastLayer)],
      [to, at.lower(layer)],
    ];
    return line([ends[0], ...bends, turn, ends[1]], [token, layer]);
  });
  const x = at.middle(end);
  const out = line(
    [
      [x, at.upper(layers)],
      [x, 18],
    ],
    [end, layers],
  );
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
      label("number", at.middle(token), at.center(layer), fits ? number : ""),
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
  return [label("row", 0, at.memory, "memory"), ...circles];
}

// The name of the output, kept inside the picture.
function drawOutput({ end }, at, width) {
  const x = at.middle(end);
  const side = x < width / 4 ? "start" : x > 0.75 * width ? "end" : "middle";
  const shift = { start: -8, middle: 0, end: 8 }[side];
  return label("output", x + shift, 6, `output ${end}`, { "text-anchor": side });
}
