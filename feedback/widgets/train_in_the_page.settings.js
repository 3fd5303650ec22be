// The settings, all traits: what is learned, by which models, and how.

import { keepKeys, menu, numberField } from "./base.controls.js";
import { listen, save } from "./base.life.js";
import { range } from "./base.numbers.js";
import { element } from "./base.page.js";

const LONGEST_TEXT = 5000; // characters
const MENUS = {
  task: {
    label: "task",
    options: [
      ["parity", "parity of bits"],
      ["s3", "shuffles of three cups"],
      ["text", "your own text"],
    ],
  },
  models: {
    label: "models",
    options: [
      ["both", "both"],
      ["parallel", "parallel"],
      ["feedback-kv", "feedback"],
    ],
  },
  layers: { label: "layers", options: range(1, 5).map((count) => [String(count), String(count)]) },
  memory_size: {
    label: "memory vectors kept",
    options: [...[1, 2, 4, 8].map((count) => [String(count), String(count)]), ["null", "all"]],
  },
  mixture: {
    label: "memory is made of",
    options: [
      ["learned", "all layers, learned"],
      ["embedding", "the embedding only"],
      ["last", "the last layer only"],
    ],
  },
  learning_rate: {
    label: "learning rate",
    options: [0.001, 0.002, 0.005, 0.01, 0.02].map((rate) => [String(rate), String(rate)]),
  },
};
const TEXTS = ["task", "models", "mixture"]; // whose values are no numbers

export function settingsPart(model) {
  const menus = Object.entries(MENUS).map(([name, { label, options }]) => {
    const value = String(model.get(name));
    const known = options.some(([each]) => each === value);
    const all = known ? options : [...options, [value, value]]; // what Python has set
    return [
      name,
      menu(label, all, value, (chosen) =>
        save(model, { [name]: TEXTS.includes(name) ? chosen : JSON.parse(chosen) }),
      ),
    ];
  });
  const seed = numberField({ min: 0, max: 2 ** 32 - 1, step: 1 });
  listen(seed, "change", () => {
    if (seed.value !== "" && seed.checkValidity()) save(model, { seed: Number(seed.value) });
    else seed.value = model.get("seed");
  });
  const seedLabel = element("label", { className: "control" }, "seed ", seed);

  const input = keepKeys(element("textarea", { rows: 4, spellcheck: false, autocomplete: "off" }));
  const refusal = element("p", { className: "refusal", role: "alert" });
  listen(input, "change", () => {
    refusal.textContent = problemOf(input.value, model.get("sizes").text.longest);
    input.ariaInvalid = String(refusal.textContent !== "");
    if (refusal.textContent === "") save(model, { text: input.value });
  });
  const text = element("div", {}, element("label", {}, "Text to learn ", input), refusal);

  const controls = element("div", { className: "controls" });
  controls.append(...menus.map(([, node]) => node), seedLabel);
  return {
    node: element("div", {}, controls, text),
    showSettings() {
      for (const [name, { select }] of menus) select.value = String(model.get(name));
      seed.value = model.get("seed");
      text.hidden = model.get("task") !== "text";
      if (refusal.textContent === "") input.value = model.get("text");
      // What only the feedback model has.
      for (const [name, { select }] of menus) {
        const isMemory = ["memory_size", "mixture"].includes(name);
        select.disabled = isMemory && model.get("models") === "parallel";
      }
    },
  };
}

// Why a text cannot be learned; "" if it can.
function problemOf(text, longest) {
  const characters = Array.from(text);
  if (characters.length < 2 * longest) {
    return `The text needs at least ${2 * longest} characters; this one has ${characters.length}.`;
  }
  if (characters.length > LONGEST_TEXT) {
    return `The text may have ${LONGEST_TEXT} characters here; this one has ${characters.length}.`;
  }
  return new Set(characters).size < 2 ? "The text needs at least two different characters." : "";
}
