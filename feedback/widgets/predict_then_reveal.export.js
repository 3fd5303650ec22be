// A button that gives a reader's guesses as one line, for a class that compares its guesses.

import { button, keepKeys } from "./base.controls.js";
import { element } from "./base.page.js";
import { codeOf } from "./predict_then_reveal.code.js";
import { answersOfBook } from "./predict_then_reveal.kept.js";

// The button, and what it shows: the line, to be copied by hand where the browser does not.
export function exporter() {
  const field = keepKeys(element("input", { type: "text", readOnly: true }));
  const label = element("label", { className: "control" }, "Code of these answers: ", field);
  const said = element("p", { role: "status" });
  const shown = element("div", { className: "exported", hidden: true }, label, said);
  const copy = button("Copy my guesses", async () => {
    field.value = codeOf(answersOfBook());
    shown.hidden = false;
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = "Copied. It holds questions and answers, and no name.";
    } catch {
      said.textContent = "Copy this line by hand. It holds questions and answers, and no name.";
    }
  });
  const follow = (isAnswered) => {
    copy.hidden = !isAnswered;
    if (shown.hidden) return;
    field.value = codeOf(answersOfBook());
    shown.hidden = !isAnswered;
  };
  return { copy, shown, follow };
}
