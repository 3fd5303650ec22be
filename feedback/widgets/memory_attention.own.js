// A field for the reader's own text, beside a kernel.

import { button, keepKeys } from "./base.controls.js";
import { onChange } from "./base.life.js";
import { element } from "./base.page.js";

const PATIENCE = 10; // seconds
const NO_ANSWER =
  "No answer: run the cell again. If another cell is still running, the answer comes after it.";

// A field for the reader's own text, which Python reads with the models it has. It is `typed` as
// long as there is no answer.
export function ownText(model) {
  if (!model.get("has_kernel") || !model.get("reads_more")) return { node: "", off() {} };
  const field = element("textarea", { rows: 2, ariaLabel: "own text", placeholder: "own text" });
  const answer = element("span", { className: "answer", role: "status" });
  let timer;
  const say = (text) => {
    clearTimeout(timer);
    answer.textContent = text;
  };
  const send = button("Read it", () => {
    const text = field.value;
    if (model.get("texts").includes(text)) {
      model.set("text", text);
    } else if (text) {
      model.set("typed", ""); // the same text can be asked for again
      model.set("typed", text);
      say("Python is reading it \u2026");
      timer = setTimeout(() => say(NO_ANSWER), 1000 * PATIENCE);
    }
    model.save_changes();
  });
  const offs = [
    onChange(model, ["text"], () => {
      if (["", model.get("text")].includes(model.get("typed"))) say(""); // else it is awaited still
    }),
    onChange(model, ["problem"], () => model.get("problem") && say(model.get("problem"))),
    onChange(model, ["typed"], () => model.get("typed") || say(model.get("problem"))),
    () => clearTimeout(timer),
  ];
  const node = element("div", { className: "controls own" }, keepKeys(field), send, answer);
  return { node, off: () => offs.forEach((off) => off()) };
}
