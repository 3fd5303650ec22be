// What a model could keep of the text for generating the next token, in bytes (chapter 5).
//
// Shown are a bar for each kind of what could be kept, a chart of the same over the length of the
// text, and a sentence. The state is the five traits: four sizes and the bytes a number takes; a
// slider, a field or a menu sets each. What is counted stands in cache_growth.numbers.js, the chart
// in cache_growth.chart.js.

import { menu, numberField, slider } from "./base.controls.js";
import { guarded, listen, onChange, onWidth, save, widget } from "./base.life.js";
import { grouped } from "./base.numbers.js";
import { drawing, element, frame, liveSentence } from "./base.page.js";
import { drawChart, mark } from "./cache_growth.chart.js";
import {
  ceiling,
  describe,
  KINDS,
  keptBytes,
  MOST,
  readable,
  stopsUpTo,
} from "./cache_growth.numbers.js";

const SYMBOLS = { tokens: "", layers: "L", width: "d", batch: "" };
const TYPES = [
  [8, "8 (float64)"],
  [4, "4 (float32)"],
  [2, "2 (float16, bfloat16)"],
  [1, "1 (int8)"],
];
const TRAITS = [...Object.keys(MOST), "bytes_per_number"];

export default widget(({ model, el }) => {
  const { node, show, stop } = buildPicture(model, el);
  el.replaceChildren(node);
  const offs = [onChange(model, TRAITS, show), stop];
  return () => offs.forEach((off) => off());
});

function buildPicture(model, el) {
  const state = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const sizes = Object.keys(MOST).map((name) =>
    sizeControl(name, (value) => save(model, { [name]: value })),
  );
  const bytes = menu("bytes per number", TYPES, model.get("bytes_per_number"), (value) =>
    save(model, { bytes_per_number: Number(value) }),
  );
  const bars = KINDS.map(buildBar);
  const ticks = element("span", { className: "ticks" });
  const scale = element("div", { className: "scale" }, ticks);
  const chart = element("div", { className: "chart" });
  const sentence = liveSentence(describe(state()));

  const node = frame(
    "cache-growth",
    "Bytes kept for generation",
    element("div", { className: "sizes" }, ...sizes.map((size) => size.node), bytes),
    ...bars.map((bar) => bar.node),
    scale,
    chart,
    sentence,
  );

  let pixels = 0;
  const show = guarded(el, () => {
    const now = state();
    sizes.forEach((size) => size.show(now[size.name]));
    bytes.select.value = now.bytes_per_number;
    const kept = KINDS.map((kind) => keptBytes(kind, now));
    const most = ceiling(Math.max(...kept));
    bars.forEach((bar, i) => bar.show(kept[i], most));
    const marks = [0, most / 2, most].map((size) => element("span", {}, readable(size)));
    ticks.replaceChildren(...marks);
    if (pixels) chart.replaceChildren(drawChart(now, pixels));
    sentence.say(describe(now));
  });
  const stop = onWidth(chart, (width) => {
    pixels = width;
    show();
  });
  show();
  return { node, show, stop };
}

// A slider, and beside it the number itself, to be read or typed.
function sizeControl(name, set) {
  const stops = stopsUpTo(MOST[name]);
  const range = slider(name, { max: stops.length - 1, step: 1 }, (i) => set(stops[i]));
  const exact = numberField({ min: 1, max: MOST[name], step: 1 });
  exact.ariaLabel = `${name}, exact`;
  let last = 1;
  // What is no size gives way to the nearest one, and to the last one if it is no number.
  const nearest = () => Math.min(MOST[name], Math.max(1, Math.round(Number(exact.value))));
  listen(exact, "input", () => {
    if (exact.value !== "" && exact.validity.valid) set(Number(exact.value));
  });
  listen(exact, "change", () => {
    if (exact.value !== "") set(nearest());
    exact.value = last;
  });
  const show = (value) => {
    last = value;
    if (Number(exact.value) !== value) exact.value = value;
    const distance = (stop) => Math.abs(Math.log(stop / value));
    const nearest = stops.reduce((best, stop) => (distance(stop) < distance(best) ? stop : best));
    range.value = stops.indexOf(nearest);
    range.ariaValueText = grouped(value);
  };
  const label = element("span", {}, name, SYMBOLS[name] && element("var", {}, ` ${SYMBOLS[name]}`));
  return { name, show, node: element("div", { className: "size" }, label, range, exact) };
}

function buildBar(kind) {
  const bar = element("span", { className: "fill" });
  const value = element("data", { className: "value" });
  const sample = drawing("svg", { class: "sample", viewBox: "0 0 28 14", "aria-hidden": "true" });
  sample.append(drawing("path", { class: "line", d: "M0 7H28" }), mark(kind, 14, 7));
  const formula = element("span", { className: "formula" }, element("var", {}, kind.formula));
  formula.append(" numbers per token");
  const words = element("span", {}, kind.name, formula);
  const name = element("span", { className: "name" }, sample, words);
  const track = element("span", { className: "track" }, bar);
  const node = element("div", { className: "bar", data: { kind: kind.id } }, name, track, value);
  const show = (size, most) => {
    bar.style.width = `${(100 * size) / most}%`;
    value.value = size;
    value.textContent = readable(size);
    value.title = `${grouped(size)} bytes`;
  };
  return { node, show };
}
