// The settings: the prompt, the buttons, and how a character is drawn.

import { button, keepKeys, menu, numberField, slider } from "./base.controls.js";
import { listen, save } from "./base.life.js";
import { element } from "./base.page.js";
import { quoted, visible } from "./base.words.js";

const LONGEST = 1000; // characters of a prompt that is typed
const SPEEDS = [
  ["4", "4 a second"],
  ["20", "20 a second"],
  ["Infinity", "as fast as it can"],
];

export function promptPart(model, { characters, encode }) {
  const input = keepKeys(element("textarea", { rows: 2, spellcheck: false, autocomplete: "off" }));
  const refusal = element("p", { className: "refusal", role: "alert" });
  // Why the model cannot read a text; "" if it can.
  const problem = (text) => {
    const letters = Array.from(text);
    if (letters.length === 0) return "The model needs at least one character.";
    if (letters.length > LONGEST) {
      return `A prompt may have ${LONGEST} characters here, and this one has ${letters.length}.`;
    }
    const tokens = encode(text);
    const bad = letters.find((_, i) => tokens[i] === undefined);
    if (bad === undefined) return "";
    return `The model does not know ${quoted(bad)}. It knows ${characters.map(visible).join("")}`;
  };
  listen(input, "input", () => {
    refusal.textContent = problem(input.value);
    input.ariaInvalid = String(refusal.textContent !== "");
    if (refusal.textContent === "") save(model, { prompt: input.value });
  });
  const label = element("label", { className: "prompt" }, "Prompt ", input);
  return {
    node: element("div", {}, label, refusal),
    showSettings() {
      // Typing that was refused stays until it can be read.
      if (input.ariaInvalid !== "true" && input.value !== model.get("prompt")) {
        input.value = model.get("prompt");
      }
    },
  };
}

export function controlsPart(model, { characters }, { step, togglePlay, startAgain, setSpeed }) {
  const play = button("Play", togglePlay);
  const buttons = [button("Step", step), play, button("Start again", startAgain)];
  const speed = menu("Speed", SPEEDS, "20", setSpeed);

  const highest = Math.max(2, model.get("temperature"));
  const temperature = slider("Temperature", { max: highest, step: 0.1 }, (value) =>
    save(model, { temperature: value }),
  );
  const degrees = element("output");
  const few = [1, 2, 3, 5, 10, 20, model.get("top_k")].filter((k) => k && k <= characters.length);
  const counts = [...new Set(few)].sort((a, b) => a - b).map((k) => [String(k), String(k)]);
  const topK = menu("Top-k", [["", "all"], ...counts], "", (value) =>
    save(model, { top_k: value === "" ? null : Number(value) }),
  );
  const seed = numberField({ min: 0, max: 2 ** 32 - 1, step: 1 });
  listen(seed, "input", () => {
    if (seed.value !== "" && seed.validity.valid) save(model, { seed: Number(seed.value) });
  });
  listen(seed, "change", () => (seed.value = model.get("seed"))); // what is no seed gives way
  const settings = [
    element("label", { className: "control" }, "Temperature ", temperature, degrees),
    topK,
    element("label", { className: "control" }, "Seed ", seed),
  ];
  return {
    node: element(
      "div",
      {},
      element("div", { className: "controls" }, ...buttons, speed),
      element("div", { className: "controls" }, ...settings),
    ),
    show({ playing }) {
      play.textContent = playing ? "Pause" : "Play";
    },
    showSettings() {
      temperature.value = model.get("temperature");
      degrees.value = model.get("temperature").toFixed(1);
      topK.select.value = String(model.get("top_k") ?? "");
      const isShown = seed.value !== "" && Number(seed.value) === model.get("seed");
      if (!isShown) seed.value = model.get("seed");
    },
  };
}
