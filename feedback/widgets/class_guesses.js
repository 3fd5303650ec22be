// The guesses of a class, side by side: codes are pasted, one a line, and each question that
// anybody answered shows its guesses beside what was computed.
//
// The state is `codes`, the text that was pasted. `questions` are those given; where none are, as in
// the built book, they are those of its pages (_static/questions.js). What the lines hold is said in
// class_guesses.numbers.js. A page keeps the text in the browser, so that reloading loses nothing.

import { button, checkbox, keepKeys } from "./base.controls.js";
import { guarded, listen, onChange, save, widget } from "./base.life.js";
import { element, frame, liveSentence } from "./base.page.js";
import { counts, gather, lineOf, sentences, stacked } from "./class_guesses.numbers.js";
import { FOLDER } from "./predict_then_reveal.kept.js";
import { readable } from "./predict_then_reveal.numbers.js";

const NAME = `feedback-book-class ${FOLDER}`;
const BINS = 40;
const HINT = "guess1;\u2026";

export default widget(({ model, el }) => {
  const pages = pagesOf(model);
  const questions = pages.flatMap((page) => page.questions);
  const field = keepKeys(element("textarea", { rows: 4, spellcheck: false, placeholder: HINT }));
  const label = element("label", { className: "codes" }, "Codes of the class, one a line", field);
  const sentence = liveSentence("");
  const faults = element("ul", { className: "faults" });
  const answers = element("div", { className: "answers" });
  const truths = checkbox(
    () => answers.classList.toggle("hides-truth", !truths.input.checked),
    "Show what was computed",
  );
  truths.input.checked = true;
  const clear = button("Clear", () => {
    save(model, { codes: "" });
    field.focus();
  });
  const controls = element("div", { className: "controls" }, truths, clear);
  el.replaceChildren(
    frame("class-guesses", "Guesses of a class", label, controls, sentence, faults, answers),
  );

  const draw = guarded(el, () => {
    const text = model.get("codes");
    if (field.value !== text) field.value = text;
    const { found, readers, faults: wrong } = gather(text, questions);
    const codes = readers === 1 ? "1 code" : `${readers} codes`;
    const asked = `${found.length} of the ${questions.length} questions`;
    sentence.say(text.trim() ? `${codes}, with answers to ${asked}.` : "No codes yet.");
    faults.replaceChildren(
      ...wrong.map(({ line, why }) => element("li", {}, `Line ${line}: ${why}.`)),
    );
    clear.disabled = text === "";
    answers.replaceChildren(
      ...pages.flatMap(({ link, questions }) => {
        const here = found.filter(({ question }) => questions.includes(question));
        return here.length > 0 ? [...link, ...here.map(answered)] : [];
      }),
    );
  });
  listen(field, "input", () => save(model, { codes: field.value }));
  const changed = () => {
    keep(model.get("codes"));
    draw();
  };
  if (model.get("codes") === "") model.set("codes", kept());
  draw();
  return onChange(model, ["codes"], changed);
});

// The questions by the page that asks them, with a link to it where there is one.
function pagesOf(model) {
  const given = model.get("questions");
  if (given.length > 0) return [{ link: [], questions: given }];
  const root = document.documentElement.dataset.content_root ?? "";
  return Object.entries(window.feedbackBookQuestions ?? {}).map(([page, questions]) => {
    const [, number] = /(\d+[a-z]?)-/.exec(page) ?? [];
    const name = page.replace(/.*\//, "").replaceAll("-", " ");
    const textContent = number ? `Chapter ${number.replace(/^0/, "")}` : name;
    const href = `${root}${page}.html`;
    const link = element("p", { className: "page" }, element("a", { href, textContent }));
    return { link: [link], questions };
  });
}

function answered({ question, guesses }) {
  const [said, computed] = sentences(question, guesses);
  const picture = question.choices ? bars(question, guesses) : dots(question, guesses);
  return element(
    "div",
    { className: "answered", role: "group", ariaLabel: question.question },
    element("p", { className: "question", textContent: question.question }),
    picture,
    element("p", {}, said, element("span", { className: "truth", textContent: ` ${computed}` })),
  );
}

function bars(question, guesses) {
  const numbers = counts(question, guesses);
  const rows = question.choices.map((choice, i) => {
    const right = choice === question.truth ? "right" : "";
    const bar = element("span", { style: { "--part": numbers[i] / Math.max(...numbers) } });
    return element(
      "div",
      { className: `of-choice ${right}` },
      element("span", { className: "choice", textContent: choice }),
      element("span", { className: "bar" }, bar),
      element("span", { className: "number", textContent: numbers[i] }),
    );
  });
  return element("div", { className: "bars", ariaHidden: "true" }, ...rows);
}

function dots(question, guesses) {
  const { low, high, partOf } = lineOf(question, guesses);
  const places = stacked(guesses.map(partOf), BINS);
  const rows = 1 + Math.max(...places.map(({ row }) => row));
  const each = places.map(({ part, row }) =>
    element("span", { className: "dot", style: { "--part": part, "--row": row } }),
  );
  const mark = element("span", { className: "mark", style: { "--part": partOf(question.truth) } });
  const ends = [low, high].map((value) => element("span", { textContent: readable(value) }));
  return element(
    "div",
    { className: "line", ariaHidden: "true", style: { "--rows": Math.max(4, rows) } },
    element("div", { className: "strip" }, ...each, mark),
    element("div", { className: "scale" }, ...ends),
  );
}

function kept() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return ""; // the browser keeps nothing
  }
}

function keep(codes) {
  try {
    localStorage.setItem(NAME, codes);
  } catch {
    // then the field alone holds it
  }
}
