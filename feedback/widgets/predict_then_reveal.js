// A question to answer before reading on: first a guess, then what was computed.
//
// What is asked and the truth come with the model; the reader adds `guess`, and `revealed` says
// whether the truth is shown. Guesses are kept in the browser, for this book and under what is asked,
// so that a reader who comes back finds them, with the truth of the page as it is by then.

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

  if (model.get("guess") === null && answeredOf([asked]).has(asked)) setGuess(readGuesses().get(asked));
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

// Books that share an address, or a disk, share the browser's storage: the name says which this is.
// Beside a kernel the folder of the notebook stands for the book.
const ROOT = document.documentElement.dataset.content_root;
const FOLDER = ROOT ? new URL(ROOT, location).pathname : location.pathname.replace(/[^/]*$/, "");
const NAME = `feedback-book-guesses ${FOLDER}`;
const KEPT = "feedback-book-guesses-kept";

// What a question asks, as a text: a guess is one at just this. In another edition of the book the
// same words may offer other choices, or ask for another unit.
const FIELDS = ["question", "choices", "unit", "low", "high", "factor"];
const askedIn = (get) => JSON.stringify(FIELDS.map(get));

// The guesses by what was asked. Where the browser keeps nothing, the page does.
function readGuesses() {
  try {
    return new Map(Object.entries(JSON.parse(window[NAME] ?? localStorage.getItem(NAME))));
  } catch {
    return new Map(); // nothing yet, or not what this widget wrote
  }
}

function keepGuesses(guesses) {
  const text = JSON.stringify(Object.fromEntries(guesses));
  try {
    localStorage.setItem(NAME, text);
    delete window[NAME];
  } catch {
    window[NAME] = text;
  }
  dispatchEvent(new Event(KEPT));
}

// Those of the questions for which a guess is kept.
function answeredOf(questions) {
  const guesses = readGuesses();
  return new Set(questions.filter((asked) => !problem(asked, guesses.get(asked))));
}

// In the built page also questions that are not drawn yet count: their state is in the page.
function questionsOnPage() {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const states = all("[data-widget='predict_then_reveal'] > script[type='application/json']");
  return new Set([
    ...askedInAll(states.map((node) => JSON.parse(node.textContent))),
    ...all(".predict-then-reveal").map((node) => node.dataset.asked),
  ]);
}

// The built book lists the questions of each page in _static/questions.js.
function questionsOnOtherPages() {
  const here = location.pathname.slice(FOLDER.length).replace(/\.html$/, "");
  const { [here]: onThis, ...others } = window.feedbackBookQuestions ?? {};
  return askedInAll(Object.values(others).flat());
}

const askedInAll = (states) => states.map((state) => askedIn((name) => state[name]));

function progressOf(questions, answered) {
  const here = [...questions].filter((asked) => answered.has(asked)).length;
  const book = answered.size > here ? `, ${answered.size} in the whole book` : "";
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

// Why this is no guess at what is asked; undefined if it is one.
function problem(asked, guess) {
  const [, choices, , low, high, factor] = JSON.parse(asked);
  if (choices) return choices.includes(guess) ? undefined : "Choose an answer first.";
  const isNumber = Number.isFinite(guess);
  if (low !== null && isNumber && guess >= low && guess <= high) return undefined;
  if (low !== null) return "Move the slider first.";
  if (!isNumber) return "Type a number first.";
  if (factor !== null && guess <= 0) return "Type a number above 0.";
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
  const within = (value) => Math.min(high, Math.max(low, value)); // it was rounded
  if (factor !== null) {
    return {
      valueAt: (part) => within(Number((low * (high / low) ** part).toPrecision(2))),
      partOf: (value) => Math.log(value / low) / Math.log(high / low),
      step: 0.01,
    };
  }
  const step = (model.get("step") ?? (high - low) / 100) / (high - low);
  return {
    valueAt: (part) => within(Number((low + part * (high - low)).toPrecision(12))),
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
