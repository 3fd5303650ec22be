// How training moved the weights: a player over the lines of a history of [step, weights], and a
// chart of their weights that marks where it is.

import { label, linearScale, spread } from "./base.axes.js";
import { player } from "./base.controls.js";
import { onWidth } from "./base.life.js";
import { grouped, percent } from "./base.numbers.js";
import { drawing, element } from "./base.page.js";
import { areEqual, describeHistory, nearest, stepName } from "./layer_memory_weights.numbers.js";

// A layer has one colour in its bar and in the chart: from grey for the embedding upwards.
export const depthStyle = (l, labels) => ({ "--depth": `${(100 * l) / (labels.length - 1)}%` });

export function buildReplay(history, labels, setWeights) {
  const toStep = (i) => setWeights(history[i][1]);
  const last = history.length - 1;
  const size = { count: history.length, value: last, perSecond: 8, from: 0 };
  const play = player("step of training", size, toStep);
  const step = element("span", { className: "step" });
  play.append(step);
  const place = element("div", { className: "chart", role: "img" });
  place.ariaLabel = describeHistory(history, labels);
  let chart;
  let now = last;
  const off = onWidth(place, (width) => {
    chart = drawChart(width, history, labels);
    place.replaceChildren(chart.node);
    chart.mark(now);
  });

  // Marks the line of the history that has these weights, if one has.
  const show = (weights) => {
    const near = nearest(history, weights);
    now = areEqual(weights, history[near][1]) ? near : undefined;
    if (now !== undefined) play.input.value = now;
    step.textContent = now === undefined ? "your own weights" : stepName(history[now][0]);
    play.input.ariaValueText = step.textContent;
    chart?.mark(now);
  };
  const end = () => {
    play.stop();
    off();
  };
  const heading = element("p", { className: "heading", textContent: "How training moved them" });
  const node = element("div", { className: "replay" }, heading, play, place);
  return { node, show, stop: play.stop, end };
}

// Lines differ in colour, in their dashes and in the label at their end.
const DASHES = ["", "7 3", "2 3", "10 3 2 3", "14 4"];
const [TOP, BOTTOM, LEFT, LABEL] = [8, 28, 44, 16]; // pixels; LABEL is the height of a label

function drawChart(width, history, labels) {
  const height = 200;
  const steps = history.map(([step]) => step);
  const highest = Math.ceil(10 * Math.max(...history.flatMap(([, line]) => line))) / 10;
  const right = width - 12 - 8 * Math.max(...labels.map((name) => name.length));
  const x = linearScale(steps[0], steps.at(-1), LEFT, right);
  const y = linearScale(0, highest, height - BOTTOM, TOP);
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, height });
  svg.append(...axesOf(x, y, [steps[0], steps.at(-1)], highest, right, height - BOTTOM + 18));

  const ends = spread(history.at(-1)[1].map(y), LABEL, TOP, height - BOTTOM);
  const dots = labels.map((name, l) => {
    const points = history.map(([step, line]) => `${x(step)} ${y(line[l])}`);
    const style = `--depth: ${depthStyle(l, labels)["--depth"]}`;
    const dashes = DASHES[l % DASHES.length];
    const d = `M${points.join("L")}`;
    svg.append(drawing("path", { class: "weights", style, d, "stroke-dasharray": dashes }));
    svg.append(label("label", right + 8, ends[l] + 4, name, { style }));
    return drawing("circle", { style, r: 4 });
  });
  const marker = drawing("path", { class: "marker" });
  const now = drawing("g", { class: "now" }, marker, ...dots);
  svg.append(now);

  const mark = (i) => {
    now.setAttribute("visibility", i === undefined ? "hidden" : "visible");
    if (i === undefined) return;
    const [step, line] = history[i];
    marker.setAttribute("d", `M${x(step)} ${TOP}V${height - BOTTOM}`);
    dots.forEach((dot, l) => {
      dot.setAttribute("cx", x(step));
      dot.setAttribute("cy", y(line[l]));
    });
  };
  return { node: svg, mark };
}

// Lines and numbers of the weights at the left, and of the first and last step at the height `below`.
function axesOf(x, y, steps, highest, right, below) {
  const parts = [];
  const gap = highest > 0.5 ? 0.2 : 0.1;
  for (let weight = 0; weight <= highest + 1e-9; weight += gap) {
    const share = `${percent(weight)} %`;
    parts.push(drawing("path", { class: "grid", d: `M${LEFT} ${y(weight)}H${right}` }));
    parts.push(label("number", LEFT - 6, y(weight) + 4, share, { "text-anchor": "end" }));
  }
  const middle = { "text-anchor": "middle" };
  for (const step of steps) parts.push(label("number", x(step), below, grouped(step), middle));
  parts.push(label("axis", (LEFT + right) / 2, below, "step", middle));
  return parts;
}
