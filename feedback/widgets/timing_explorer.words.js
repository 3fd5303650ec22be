// What is said of the times: the words of timing_explorer.py.

import { withMinus } from "./base.numbers.js";

export const UNITS = ["seconds", "tokens a second", "ratio to parallel"];

export const capital = (text) => text[0].toUpperCase() + text.slice(1);
// Adding 0 makes a zero of a negative one.
export const fixedSlope = (slope) => withMinus((Math.round(slope * 100) / 100 + 0).toFixed(2));

const twoDigits = (value) => (value < 99.5 ? value.toPrecision(2) : String(Math.round(value)));

function say(size, number) {
  if (["tokens", "layers", "heads"].includes(size)) {
    return `${number} ${number === 1 ? size.slice(0, -1) : size}`;
  }
  return `${size} ${number}`;
}

export function describeAxes(view, unit) {
  const at = view.at ? ` (${view.at})` : "";
  return `${capital(view.what)}, ${unit} against ${view.over}${at}`;
}

// The lines of a view whose models are chosen.
export const shownLines = (model, view) =>
  view.lines.filter((line) => model.get("variants").includes(line.variant));

export function describeView(model, view) {
  const said = model.get("plots").runs.map(({ name }, number) => {
    const lines = shownLines(model, view).filter((line) => line.run === number);
    return lines.length ? compare(name, lines, view.over, model.get("unit")) : "";
  });
  const parts = said.filter(Boolean);
  if (parts.length === 0) parts.push("No model is chosen.");
  return `${describeAxes(view, model.get("unit"))}. ${parts.join(" ")}`;
}

// Who is quickest at the largest size of a run, by how much, and the slopes of the lines.
function compare(run, lines, over, unit) {
  const last = lines.map((line) => ({ line, point: line.seconds.points.at(-1) }));
  const size = Math.max(...last.map(({ point }) => point[0]));
  const there = last.filter(({ point }) => point[0] === size);
  there.sort((a, b) => a.point[1] - b.point[1]);
  const [{ line: quickest, point: best }, ...others] = there;
  const rivals = others.filter(({ point }) => point[2] <= best[3]).map(({ line }) => line.variant);
  let verdict = `${quickest.variant} is the quickest.`;
  if (others.length === 0) verdict = `${quickest.variant} takes ${twoDigits(best[1])} seconds.`;
  else if (rivals.length > 0) {
    const names = [quickest.variant, ...rivals];
    const last = names.pop();
    verdict = `no winner, the quartiles of ${names.join("; ")} and ${last} overlap.`;
  }
  const parts = [`${capital(run)}, at ${say(over, size)}: ${verdict}`];
  if (others.length > 0) {
    const base = there.find(({ line }) => line.variant === "parallel") ?? there[0];
    const times = there
      .filter((each) => each !== base)
      .map(({ line, point }) => `${line.variant} ${twoDigits(point[1] / base.point[1])}`);
    parts.push(`Times as long as ${base.line.variant}: ${times.join("; ")}.`);
  }
  const slopes = lines
    .filter((line) => (line[unit]?.slope ?? null) !== null)
    .map((line) => `${line.variant} ${fixedSlope(line[unit].slope)}`);
  if (slopes.length > 0) parts.push(`Slopes: ${slopes.join("; ")}.`);
  return parts.join(" ");
}
