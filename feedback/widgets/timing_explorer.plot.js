// The lines of a view on two logarithmic axes.

import { label, logScale, roundNumbers, spread } from "./base.axes.js";
import { short } from "./base.numbers.js";
import { drawing } from "./base.page.js";
import { dress, marker, stepsBack, stroke } from "./timing_explorer.looks.js";
import { describeAxes, fixedSlope, UNITS } from "./timing_explorer.words.js";

const SIZE_NAMES = {
  tokens: "tokens T",
  layers: "layers L",
  batch: "batch B, sequences at once",
  width: "width d",
  heads: "heads H",
  hidden: "hidden width F",
};

const MIDDLE = { "text-anchor": "middle" };

export function drawPlot(lines, view, unit, runs, width) {
  const named = width >= 560; // room for names at the lines
  const height = Math.max(260, Math.min(400, 0.55 * width));
  const box = { left: 72, right: width - (named ? 190 : 14), top: 26, bottom: height - 46 };
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.ariaLabel = `${describeAxes(view, unit)}. The table below has the numbers.`;
  if (lines.length === 0) {
    const isRatio = unit === UNITS[2];
    const why = isRatio ? "no parallel model was timed here." : "choose a model above.";
    svg.append(label("empty", width / 2, height / 2, `Nothing to show: ${why}`, MIDDLE));
    return svg;
  }

  const points = lines.flatMap((line) => line[unit].points);
  const sizes = [...new Set(points.map(([size]) => size))].sort((a, b) => a - b);
  const ends = lines.flatMap((line) => line[unit].ends ?? []);
  const values = [...points.flatMap(([, ...quartiles]) => quartiles), ...ends];
  const margin = 1.12; // so that the outermost markers stand clear of the frame
  const x = logScale(sizes[0] / margin, sizes.at(-1) * margin, box.left, box.right);
  const [low, high] = [Math.min(...values) / margin, Math.max(...values) * margin];
  const y = logScale(low, high, box.bottom, box.top);

  svg.append(...axesOf(box, sizes, x, roundNumbers(low, high), y, view, unit));
  if (named) svg.append(...namesOf(lines, unit, x, y, box, runs)); // below the markers
  for (const line of lines) svg.append(drawLine(line, unit, x, y, view.over, runs));
  return svg;
}

function axesOf(box, sizes, x, ticks, y, view, unit) {
  const parts = [];
  ticks.forEach((value) => {
    const at = { x1: box.left, x2: box.right, y1: y(value), y2: y(value), class: "grid" };
    const before = { dy: "0.35em", "text-anchor": "end" };
    parts.push(drawing("line", at), label("number", box.left - 8, y(value), short(value), before));
  });
  let free = -Infinity; // numbers that would touch the one before are left out
  sizes.forEach((size) => {
    const at = { x1: x(size), x2: x(size), y1: box.bottom, y2: box.bottom + 5, class: "tick" };
    parts.push(drawing("line", at));
    const half = 5 * String(size).length;
    if (x(size) - half < free) return;
    free = x(size) + half;
    parts.push(label("number", x(size), box.bottom + 19, size, MIDDLE));
  });
  const floor = { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "tick" };
  const [middle, center] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  const upwards = { ...MIDDLE, transform: `translate(14 ${center}) rotate(-90)` };
  parts.push(drawing("line", floor));
  parts.push(label("axis", middle, box.bottom + 40, SIZE_NAMES[view.over], MIDDLE));
  parts.push(label("axis", 0, 0, unitName(view, unit), upwards));
  return parts;
}

const WORDS = {
  training: "seconds a training step",
  reading: "seconds to read",
  generation: "seconds to generate",
};

function unitName(view, unit) {
  if (unit === UNITS[2]) return "times the parallel model's time";
  if (unit === UNITS[1]) return unit;
  return WORDS[view.what];
}

function drawLine(line, unit, x, y, over, runs) {
  const { points, ends } = line[unit];
  const back = stepsBack(line.run, runs.length);
  const group = dress(drawing("g", { class: "line" }), line.variant, back);
  if (ends) {
    const [first, last] = [points[0][0], points.at(-1)[0]];
    group.append(stroke(line.variant, x(first), y(ends[0]), x(last), y(ends[1])));
  }
  for (const [size, middle, low, high] of points) {
    const bar = { class: "bar", x1: x(size), x2: x(size), y1: y(low), y2: y(high) };
    const title = `${line.variant}, ${runs[line.run].name}, ${over} ${size}: ${short(middle)} ${unit}`;
    group.append(drawing("line", bar), marker(line.variant, x(size), y(middle), title));
  }
  return group;
}

// The name and slope of each line at its right end, moved apart where they would overlap.
function namesOf(lines, unit, x, y, box, runs) {
  const heights = lines.map((line) => {
    const { points, ends } = line[unit];
    return y(ends ? ends[1] : points.at(-1)[1]);
  });
  const places = spread(heights, 17, box.top, box.bottom);
  const left = box.right + 10;
  const names = lines.flatMap((line, i) => {
    const { points, slope } = line[unit];
    const own = runs.length > 1 && line.run === runs.length - 1 ? ", own" : "";
    const text = `${line.variant}${own}${slope === null ? "" : ` ${fixedSlope(slope)}`}`;
    const from = { x1: x(points.at(-1)[0]) + 8, y1: heights[i] };
    const lead = drawing("line", { class: "lead", ...from, x2: left - 3, y2: places[i] });
    const name = label("name", left, places[i], text, { dy: "0.35em" });
    return [lead, name].map((node) => dress(node, line.variant, stepsBack(line.run, runs.length)));
  });
  return [label("axis", left, 10, "model and slope"), ...names];
}
