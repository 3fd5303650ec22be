// A question to answer before reading on: first a guess, then what was computed.
//
// Shown are the question with a form (predict_then_reveal.asking.js) or, once there is a guess, the
// guess beside the truth (predict_then_reveal.answer.js), with a sentence and how many questions are
// answered; their answers can be copied as one line (predict_then_reveal.export.js). The state is
// `guess`, which is null at first, and `revealed`, which says whether the truth is shown. Guesses
// are kept in the browser, for this book and under what is asked (predict_then_reveal.kept.js): a
// reader who comes back finds them, with the truth of the page as it is by then. Numbers and words
// stand in predict_then_reveal.numbers.js.

import { button } from "./base.controls.js";
import { guarded, onChange, widget } from "./base.life.js";
import { element, frame, liveSentence } from "./base.page.js";
import { chosen, compared } from "./predict_then_reveal.answer.js";
import { form } from "./predict_then_reveal.asking.js";
import { exporter } from "./predict_then_reveal.export.js";
import {
  answeredOf,
  KEPT,
  keepGuesses,
  NAME,
  progressOf,
  questionsOnOtherPages,
  questionsOnPage,
  readGuesses,
} from "./predict_then_reveal.kept.js";
import { askedIn, printed, problem, verdict } from "./predict_then_reveal.numbers.js";

export default widget(({ model, el }) => {
  const question = model.get("question");
  const asked = askedIn((name) => model.get(name));
  const body = element("div");
  const sentence = liveSentence("Not answered yet.");
  const after = element("div");
  const progress = element("span");
  const forget = button("Forget all answers", () => {
    keepGuesses(new Map());
    body.querySelector("input").focus(); // the button is gone
  });
  const { copy, shown, follow } = exporter();
  const view = frame(
    "predict-then-reveal",
    question,
    element("p", { className: "kicker", textContent: "Guess first" }),
    element("p", { className: "question", textContent: question }),
    body,
    sentence,
    after,
    element("div", { className: "tally" }, progress, copy, forget),
    shown,
  );
  view.dataset.asked = asked;
  el.replaceChildren(view);

  const setGuess = (guess) => {
    // In this order, so that at no time something is revealed for which there is no guess.
    if (guess === null) model.set("revealed", false);
    model.set("guess", guess);
    if (guess !== null) model.set("revealed", true);
    model.save_changes();
  };
  const showProgress = () => {
    const here = questionsOnPage().add(asked);
    const answered = answeredOf([...here, ...questionsOnOtherPages()]);
    progress.textContent = progressOf(here, answered);
    forget.hidden = answered.size === 0;
    follow(answered.size > 0);
  };
  const draw = guarded(el, () => {
    if (isRevealed(model)) {
      const again = button("Guess again", () => {
        setGuess(null);
        body.querySelector("input").focus();
      });
      body.replaceChildren(model.get("choices") ? chosen(model) : compared(model));
      after.replaceChildren(element("p", { textContent: model.get("explanation") }), again);
      sentence.say(verdict(model));
    } else {
      const reveal = (guess) => {
        if (problem(asked, guess)) return sentence.say(problem(asked, guess));
        setGuess(guess);
        after.querySelector("button").focus();
      };
      body.replaceChildren(form(model, reveal));
      const answer = { className: "printed", hidden: true, textContent: printed(model) };
      after.replaceChildren(element("p", answer)); // hidden also where no style sheet came
      sentence.say("Not answered yet.");
    }
    showProgress();
  });
  const changed = () => {
    // Between a guess and its answer, so that at no time the guess is gone for another tab.
    if (model.get("guess") !== null && !model.get("revealed")) return draw();
    const guesses = readGuesses();
    if (isRevealed(model)) guesses.set(asked, model.get("guess"));
    else guesses.delete(asked);
    keepGuesses(guesses);
    draw();
  };
  // Another question was answered, or all were forgotten, here or in another tab.
  const followGuesses = guarded(el, ({ key = null }) => {
    if (key !== null && key !== NAME) return; // something else was stored
    if (isRevealed(model) && !readGuesses().has(asked)) setGuess(null);
    showProgress();
  });

  if (model.get("guess") === null && answeredOf([asked]).has(asked))
    setGuess(readGuesses().get(asked));
  draw();
  const off = onChange(model, ["guess", "revealed"], changed);
  const events = [KEPT, "storage"];
  events.forEach((event) => addEventListener(event, followGuesses));
  dispatchEvent(new Event(KEPT)); // the questions drawn before count this one too
  return () => {
    off();
    events.forEach((event) => removeEventListener(event, followGuesses));
  };
});

const isRevealed = (model) => model.get("revealed") && model.get("guess") !== null;
