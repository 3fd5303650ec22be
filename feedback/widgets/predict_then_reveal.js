// A question to answer before reading on: first a guess, then what was computed.
//
// What is asked and the truth come with the model; the reader adds `guess`, and `revealed` says
// whether the truth is shown. Guesses are kept in the browser under the question's text, so that
// a reader who comes back finds them, with the truth of the page as it is by then.

export default widget(({ model, el }) => {
  const question = model.get("question");
  const body = element("div");
  const sentence = liveSentence("Not answered yet.");
  const after = element("div");
  const progress = element("span");
  const forget = button("Forget all answers", () => {
    keepGuesses({});
    body.querySelector("input").focus(); // the button is gone
  });
  const view = frame(
    "predict-then-reveal",
    question,
    element("p", { className: "kicker", textContent: "Guess first" }),
    element("p", { className: "question", textContent: question }),
    body,
    sentence,
    after,
    element("div", { className: "tally" }, progress, forget),
  );
  view.dataset.question = question;
  el.replaceChildren(view);

  const setGuess = (guess) => {
    // In this order, so that at no time something is revealed for which there is no guess.
    if (guess === null) model.set("revealed", false);
    model.set("guess", guess);
    if (guess !== null) model.set("revealed", true);
    model.save_changes();
  };
  const showProgress = () => {
    const guesses = readGuesses();
    progress.textContent = progressOf(questionsOnPage().add(question), guesses);
    forget.hidden = Object.keys(guesses).length === 0;
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
        if (problem(model, guess)) return sentence.say(problem(model, guess));
        setGuess(guess);
        after.querySelector("button").focus();
      };
      body.replaceChildren(form(model, reveal));
      after.replaceChildren(element("p", { className: "printed", textContent: printed(model) }));
      sentence.say("Not answered yet.");
    }
    showProgress();
  });
  const changed = () => {
    // Between a guess and its answer, so that at no time the guess is gone for another tab.
    if (model.get("guess") !== null && !model.get("revealed")) return draw();
    const { [question]: kept, ...others } = readGuesses();
    keepGuesses(isRevealed(model) ? { ...others, [question]: model.get("guess") } : others);
    draw();
  };
  // Another question was answered, or all were forgotten, here or in another tab.
  const followGuesses = guarded(el, ({ key = null }) => {
    if (key !== null && key !== NAME) return; // something else was stored
    if (isRevealed(model) && !(question in readGuesses())) setGuess(null);
    showProgress();
  });

  const kept = readGuesses()[question];
  if (model.get("guess") === null && kept !== undefined && !problem(model, kept)) setGuess(kept);
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

// ---- what is kept ----

const NAME = "feedback-book-guesses";
const KEPT = "feedback-book-guesses-kept";

// The browser's storage; where that is forbidden, a store that lasts as long as the page. It is
// tried once only: another tab is told of every attempt.
function storage() {
  return (window.feedbackBookStore ??= openStorage());
}

function openStorage() {
  try {
    localStorage.setItem(`${NAME}-probe`, "");
    localStorage.removeItem(`${NAME}-probe`);
    return localStorage;
  } catch {
    const store = new Map();
    return { getItem: (name) => store.get(name), setItem: (name, text) => store.set(name, text) };
  }
}

// Guesses by question.
function readGuesses() {
  try {
    return { ...JSON.parse(storage().getItem(NAME)) };
  } catch {
    return {}; // nothing yet, or not what this widget wrote
  }
}

function keepGuesses(guesses) {
  storage().setItem(NAME, JSON.stringify(guesses));
  dispatchEvent(new Event(KEPT));
}

// In the built page also questions that are not drawn yet count: their state is in the page.
function questionsOnPage() {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const states = all("[data-widget='predict_then_reveal'] > script[type='application/json']");
  return new Set([
    ...states.map((node) => JSON.parse(node.textContent).question),
    ...all(".predict-then-reveal").map((node) => node.dataset.question),
  ]);
}

function progressOf(questions, guesses) {
  const here = [...questions].filter((question) => question in guesses).length;
  const everywhere = Object.keys(guesses).length;
  const book = everywhere > here ? `, ${everywhere} in the whole book` : "";
  const noun = questions.size === 1 ? "question" : "questions";
  return `${here} of ${questions.size} ${noun} answered in this chapter${book}`;
}

// ---- asking ----

function form(model, reveal) {
  const { node, guess } = model.get("choices")
    ? choiceControl(model)
    : model.get("low") === null
      ? numberControl(model, reveal)
      : sliderControl(model);
  const parts = [node, button("Reveal", () => reveal(guess()))];
  return element("div", { className: "ask" }, ...parts);
}

function choiceControl(model) {
  const name = `choice-${Math.random()}`; // ties the choices of this question together
  const inputs = model.get("choices").map((value) => {
    const checked = value === model.get("guess");
    return keepKeys(element("input", { type: "radio", name, value, checked }));
  });
  const labels = inputs.map((input) => element("label", {}, input, input.value));
  const node = element("fieldset", { ariaLabel: "Your guess" }, ...labels);
  return { node, guess: () => inputs.find((input) => input.checked)?.value ?? null };
}

function numberControl(model, reveal) {
  const unit = model.get("unit");
  const input = numberField({ step: "any" });
  input.value = model.get("guess") ?? "";
  const guess = () => (input.value === "" ? null : Number(input.value) + 0); // no minus before 0
  listen(input, "keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // or it presses the button that has the focus by then
    reveal(guess());
  });
  const node = element("label", { className: "control" }, "Your guess: ", input, unit);
  return { node, guess };
}

// The slider begins in the middle, which is no guess before the reader has moved it.
function sliderControl(model) {
  const { valueAt, partOf, step } = scaleOf(model);
  let guess = model.get("guess");
  const readout = element("output");
  const show = () => {
    readout.textContent = guess === null ? "move the slider" : shown(model, guess);
    input.ariaValueText = readout.textContent;
  };
  const value = guess === null ? 0.5 : partOf(guess);
  const input = slider("your guess", { step, value }, (part) => {
    guess = valueAt(part);
    show();
  });
  show();
  const [low, high] = ["low", "high"].map((end) => readable(model.get(end)));
  const ends = [element("span", {}, low), element("span", {}, high)];
  const node = element(
    "div",
    { className: "on-slider" },
    element("div", {}, "Your guess: ", readout),
    input,
    element("div", { className: "scale" }, ...ends),
  );
  return { node, guess: () => guess };
}

// Numbers outside of these have too many digits for a line.
const [SMALLEST, LARGEST] = [1e-9, 1e15];

// Why this is no guess; undefined if it is one.
function problem(model, guess) {
  const choices = model.get("choices");
  if (choices) return choices.includes(guess) ? undefined : "Choose an answer first.";
  if (!Number.isFinite(guess)) {
    return model.get("low") === null ? "Type a number first." : "Move the slider first.";
  }
  if (model.get("factor") !== null && guess <= 0) return "Type a number above 0.";
  const size = Math.abs(guess);
  if (size > LARGEST) return "Type a number with fewer digits.";
  return size > 0 && size < SMALLEST ? "Type 0, or a number that is not as small." : undefined;
}

// ---- answering ----

// Between the parts 0..1 of a line and the values that stand there: the slider's, or, where a
// number is typed, from 0 to the larger one of guess and truth.
function scaleOf(model) {
  const [low, high, factor] = ["low", "high", "factor"].map((name) => model.get(name));
  if (low === null) {
    const largest = Math.max(model.get("truth"), model.get("guess") ?? 0);
    return { partOf: (value) => Math.max(0, value / largest) };
  }
  if (factor !== null) {
    return {
      valueAt: (part) => Number((low * (high / low) ** part).toPrecision(2)),
      partOf: (value) => Math.log(value / low) / Math.log(high / low),
      step: 0.01,
    };
  }
  const step = (model.get("step") ?? (high - low) / 100) / (high - low);
  return {
    valueAt: (part) => Number((low + part * (high - low)).toPrecision(12)),
    partOf: (value) => (value - low) / (high - low),
    step,
  };
}

function chosen(model) {
  const items = model.get("choices").map((choice) => {
    const right = choice === model.get("truth");
    const tags = [
      ...(choice === model.get("guess") ? ["your guess"] : []),
      ...(right ? ["the answer"] : []),
    ];
    const tag = element("span", { className: "tag", textContent: tags.join(", ") });
    return element("li", { className: right ? "right" : "" }, choice, tag);
  });
  return element("ul", {}, ...items);
}

// Guess and truth as two bars under one another.
function compared(model) {
  const { partOf } = scaleOf(model);
  const pair = (name, kind) => {
    const value = model.get(kind);
    const style = { "--part": Math.min(1, Math.max(0, partOf(value))) };
    const bar = element("span", { className: "bar" }, element("span", { style }));
    const number = element("span", { className: "number", textContent: shown(model, value) });
    return element("div", { className: `pair ${kind}` }, element("span", {}, name), bar, number);
  };
  const pairs = [pair("your guess", "guess"), pair("computed", "truth")];
  return element("div", { className: "compare" }, ...pairs);
}

// ---- words ----

function shown(model, value) {
  const unit = model.get("unit");
  return readable(value) + (unit && `\u00a0${unit}`);
}

// Three digits that count, and whole numbers in full.
function readable(value) {
  const whole = Number.isInteger(value) || Math.abs(value) >= 100;
  const digits = whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return withMinus((whole ? Math.round(value) : value).toLocaleString("en", digits));
}

// On paper nobody can guess first.
function printed(model) {
  const truth = model.get("truth");
  const answer = model.get("choices") ? truth : shown(model, truth);
  return `(Answer: ${answer}. ${model.get("explanation")})`;
}

function verdict(model) {
  const [guess, truth, factor] = ["guess", "truth", "factor"].map((name) => model.get(name));
  if (model.get("choices")) {
    return guess === truth ? "Right." : `No: the answer is \u201c${truth}\u201d.`;
  }
  if (readable(guess) === readable(truth)) return `Right: ${shown(model, truth)}.`;
  const computed = `Computed: ${shown(model, truth)}.`;
  if (factor !== null) {
    const times = Math.max(guess / truth, truth / guess);
    const within = `${times <= factor ? "Within" : "Not within"} a factor of ${readable(factor)}`;
    const size = guess < truth ? "small" : "large";
    return `${computed} ${within}: your guess is too ${size} by a factor of ${readable(times)}.`;
  }
  const distance = Math.abs(guess - truth);
  const close = distance <= model.get("tolerance") ? "Close: your" : "Your";
  const side = guess < truth ? "low" : "high";
  return `${computed} ${close} guess is ${shown(model, distance)} too ${side}.`;
}
