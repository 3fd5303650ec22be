// What the reader reads by passes: one of the texts, or shuffles of cups, and with which memory.

import { button, keepKeys, menu } from "./base.controls.js";
import { listen, save } from "./base.life.js";
import { range } from "./base.numbers.js";
import { element } from "./base.page.js";
import { randomNumbers } from "./base.random.js";
import { quoted } from "./base.words.js";
import { CUPS } from "./pass_by_pass.course.js";

const LONGEST = 32; // shuffles: the models have not learned to follow more
const BEGINNING = 24; // characters of a text that name it

export function textSettings(model) {
  const options = model.get("courses").map(({ text }, i) => {
    const name = text.length > BEGINNING ? `${text.slice(0, BEGINNING)}\u2026` : text;
    return [String(i), quoted(name)];
  });
  const texts = menu("text", options, "0", (value) => save(model, { text: Number(value) }));
  return {
    node: element("div", { className: "controls" }, ...(options.length > 1 ? [texts] : [])),
    show() {
      texts.select.value = String(model.get("text"));
    },
  };
}

export function cupsSettings(model) {
  const { words } = CUPS;
  const memories = [
    ["", "all vectors"],
    ["4", "4 vectors"],
  ];
  const memory = menu("memory", memories, "", (value) =>
    save(model, { memory_size: value === "" ? null : Number(value) }),
  );
  let drawn = 0; // so each draw differs, and all come out the same in every visit
  const draw = button("Other shuffles", () => {
    const random = randomNumbers(++drawn);
    const any = range(0, LONGEST).map(() => words[Math.floor(random() * words.length)]);
    save(model, { shuffles: any.join(" ") });
  });
  const field = keepKeys(
    element("input", { type: "text", spellcheck: false, autocomplete: "off" }),
  );
  const refusal = element("p", { className: "refusal", role: "alert" });
  // Why shuffles cannot be read; "" if they can.
  const problem = (given) => {
    const bad = given.find((word) => !words.includes(word));
    if (bad !== undefined)
      return `No shuffle is called ${quoted(bad)}. There are ${words.join(", ")}.`;
    if (given.length >= 2 && given.length <= LONGEST) return "";
    return `There have to be 2 to ${LONGEST} shuffles, and here are ${given.length}.`;
  };
  listen(field, "input", () => {
    const given = field.value.trim().split(/\s+/);
    refusal.textContent = problem(given);
    field.ariaInvalid = String(refusal.textContent !== "");
    if (refusal.textContent === "") save(model, { shuffles: given.join(" ") });
  });
  const label = element("label", { className: "shuffles" }, "shuffles ", field);
  return {
    node: element(
      "div",
      {},
      element("div", { className: "controls" }, memory, draw),
      label,
      refusal,
    ),
    show() {
      memory.select.value = String(model.get("memory_size") ?? "");
      // Typing that was refused, or has more spaces, stays.
      const given = field.value.trim().split(/\s+/).join(" ");
      if (given !== model.get("shuffles")) {
        field.value = model.get("shuffles");
        refusal.textContent = "";
        field.ariaInvalid = "false";
      }
    },
  };
}
