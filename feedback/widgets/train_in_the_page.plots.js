// Two small charts: the loss after each round, and the share of right answers at each place.

import { label, linearScale } from "./base.axes.js";
import { short } from "./base.numbers.js";
import { drawing } from "./base.page.js";
import { NAMES } from "./train_in_the_page.plan.js";

const [WIDTH, HEIGHT] = [390, 210];
const BOX = { left: 60, right: WIDTH - 74, top: 12, bottom: HEIGHT - 40 };

// A chart with axes; `lines` are { name, points }, `level` a dashed height with its name.
function chart({ title, xs, ys, across, upwards, lines, level, edge }) {
  const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.ariaLabel = title;
  const x = linearScale(xs[0], xs.at(-1), BOX.left, BOX.right);
  const y = linearScale(ys[0].value, ys.at(-1).value, BOX.bottom, BOX.top);
  for (const { value, text } of ys) {
    const at = { x1: BOX.left, x2: BOX.right, y1: y(value), y2: y(value), class: "grid" };
    const before = { dy: "0.35em", "text-anchor": "end" };
    svg.append(drawing("line", at), label("number", BOX.left - 6, y(value), text, before));
  }
  for (const value of xs) {
    svg.append(label("number", x(value), BOX.bottom + 16, value, { "text-anchor": "middle" }));
  }
  const middle = (BOX.left + BOX.right) / 2;
  svg.append(label("axis", middle, HEIGHT - 6, across, { "text-anchor": "middle" }));
  const turned = `translate(11 ${(BOX.top + BOX.bottom) / 2}) rotate(-90)`;
  svg.append(label("axis", 0, 0, upwards, { "text-anchor": "middle", transform: turned }));
  if (level) {
    const at = { x1: BOX.left, x2: BOX.right, y1: y(level.value), y2: y(level.value) };
    svg.append(drawing("line", { ...at, class: "level" }));
  }
  if (edge) {
    const at = { x1: x(edge), x2: x(edge), y1: BOX.top, y2: BOX.bottom, class: "level" };
    svg.append(drawing("line", at));
  }
  const ends = [];
  for (const { name, points } of lines) {
    if (points.length === 0) continue;
    const path = points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
    svg.append(drawing("polyline", { points: path, class: "line", "data-model": name }));
    ends.push({ text: NAMES[name], name, y: y(points.at(-1)[1]) });
  }
  if (level) ends.push({ text: level.text, name: "level", y: y(level.value) });
  svg.append(...namesAt(ends));
  return svg;
}

// Names at the ends of the lines, moved apart where they would overlap.
function namesAt(ends) {
  ends.sort((a, b) => a.y - b.y);
  let free = BOX.top;
  return ends.map(({ text, name, y }) => {
    const at = Math.max(y, free);
    free = at + 14;
    return label("name", BOX.right + 5, at, text, { dy: "0.35em", "data-model": name });
  });
}

export function lossChart({ names, frequencies }, { losses, updates }, isText) {
  const all = names.flatMap((name) => losses[name].map(([, loss]) => loss));
  const top = Math.max(frequencies, ...all) * 1.05;
  const ys = [0, 0.5, 1].map((share) => ({ value: share * top, text: short(share * top, 2) }));
  const last = Math.max(updates, 10);
  return chart({
    title: "Loss of both models after each round of updates",
    xs: [0, last],
    ys,
    across: isText ? "updates" : "updates, on rows that become longer",
    upwards: isText ? "nats a character" : "nats an answer",
    lines: names.map((name) => ({ name, points: losses[name] })),
    level: { value: frequencies, text: isText ? "frequencies" : "guessing" },
  });
}

export function rightChart({ names, limits, guess }, { right, asked }) {
  const shown = asked?.right ?? right;
  const length = asked?.length ?? limits.longest;
  const shares = [0, 0.5, 1].map((value) => ({ value, text: `${100 * value}\u00a0%` }));
  return chart({
    title: `Right answers of both models at places 1 to ${length}`,
    xs: asked ? [1, limits.longest, length] : [1, length / 2, length],
    ys: shares,
    across: asked
      ? `place; no row in training was longer than ${limits.longest}`
      : "place in the row",
    upwards: "right answers",
    lines: names.map((name) => ({
      name,
      points: (shown[name] ?? []).map((share, i) => [i + 1, share]),
    })),
    level: guess === undefined ? undefined : { value: guess, text: "guessing" },
    edge: asked && limits.longest,
  });
}
