// The outputs of the layers, and the memory that their weights make of them.

import { button, checkbox, slider } from "./base.controls.js";
import { save } from "./base.life.js";
import { mean, percent, short, withWeight } from "./base.numbers.js";
import { element, reducedMotion } from "./base.page.js";
import { mix, norm } from "./live_model.arithmetic.js";
import { namesOf, note, part, setText, titleOf } from "./live_model.elements.js";

export function layersPart(model) {
  const learned = model.get("learned");
  const names = namesOf(learned);
  const only = (l) => learned.map((_, i) => (i === l ? 1 : 0));
  const presets = [
    ["Learned", learned],
    ["Equal", learned.map(() => 1 / learned.length)],
    ["Last layer", only(learned.length - 1)],
    ["Embedding", only(0)],
  ].map(([name, weights]) => [
    button(name, () => save(model, { layer_weights: weights })),
    weights,
  ]);

  const sliders = names.map((name, l) =>
    slider(`weight of ${name}`, {}, (value) =>
      save(model, { layer_weights: withWeight(model.get("layer_weights"), l, value) }),
    ),
  );
  const numbers = names.map(() => element("data", { className: "weight" }));
  const strips = [...names, "memory"].map(() =>
    element("div", { className: "strip", role: "img" }),
  );
  const nameOf = (text) => element("span", { className: "name", textContent: text });
  const lines = names.map((name, l) => {
    const cells = [nameOf(name), sliders[l], numbers[l], strips[l]];
    return element("div", { className: "line" }, ...cells);
  });
  const scale = note();
  lines.push(element("div", { className: "line memory" }, nameOf("memory"), scale, strips.at(-1)));

  const title = "Layers, and the memory they make";
  const buttons = presets.map(([button]) => button);
  const keep = checkbox((on) => save(model, { keep_length: on }), "Keep the length");
  const length = note();
  return {
    node: part(
      title,
      element("div", { className: "controls" }, titleOf(title), ...buttons),
      ...lines,
      element("div", { className: "controls keep" }, keep, length),
    ),
    show({ record }) {
      const rows = [...record.outputs, record.memory];
      // A few features are far larger than all others; they must not make those pale.
      const full = 3 * Math.sqrt(mean(rows.map((row) => mean(row.map((value) => value * value)))));
      rows.forEach((row, i) => paint(strips[i], row, full, names[i] ?? "memory"));
      const [own, usual] = [record.memory, mix(record.outputs, learned)].map(norm);
      setText(length, lengthSaid(own.toFixed(1), usual.toFixed(1)));
      setText(scale, `blue: up to ${short(-full, 2)}, orange: up to ${short(full, 2)}`);
    },
    showSettings() {
      const weights = model.get("layer_weights");
      weights.forEach((weight, l) => {
        sliders[l].value = weight;
        sliders[l].ariaValueText = `${percent(weight)} percent`;
        numbers[l].value = weight;
        numbers[l].textContent = weight.toFixed(3);
      });
      keep.input.checked = model.get("keep_length");
      for (const [button, preset] of presets) {
        const same = preset.every((weight, l) => Math.abs(weight - weights[l]) < 1e-6);
        button.ariaPressed = String(same);
      }
    },
    // From the embedding up, as they are computed.
    animate() {
      if (reducedMotion()) return;
      strips.forEach((strip, i) => {
        const timing = { duration: 150, delay: 100 * i, fill: "backwards" };
        strip.animate([{ opacity: 0 }, { opacity: 1 }], timing);
      });
    },
  };
}

function lengthSaid(own, usual) {
  const said = `The memory vector is ${own} long`;
  if (own === usual) return `${said}, as the learned weights make it.`;
  return `${said}; the learned weights would make it ${usual}.`;
}

// One background for all features: many cells would take longer to draw than the model to run. The
// colours are names, so they follow light and dark by themselves.
function paint(strip, values, full, label) {
  const stops = Array.from(values, (value, i) => {
    const color = `var(--${value < 0 ? "negative" : "positive"})`;
    const share = Math.round(Math.min(100, (100 * Math.abs(value)) / full));
    const [from, to] = [i, i + 1].map((edge) => `${((100 * edge) / values.length).toFixed(2)}%`);
    return `color-mix(in oklab, ${color} ${share}%, var(--neutral)) ${from} ${to}`;
  });
  strip.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const [lowest, highest] = [Math.min(...values), Math.max(...values)].map((value) =>
    short(value, 3),
  );
  strip.ariaLabel = `${label}: ${values.length} features, from ${lowest} to ${highest}`;
}
