// The guesses that the browser keeps, and how many questions they answer.

import { askedIn, problem } from "./predict_then_reveal.numbers.js";

// Books that share an address, or a disk, share the browser's storage: the name says which this is.
// Beside a kernel the folder of the notebook stands for the book.
const ROOT = document.documentElement.dataset.content_root;
export const FOLDER = ROOT
  ? new URL(ROOT, location).pathname
  : location.pathname.replace(/[^/]*$/, "");
export const NAME = `feedback-book-guesses ${FOLDER}`;
export const KEPT = "feedback-book-guesses-kept";

// The guesses by what was asked. Where the browser keeps nothing, the page does.
export function readGuesses() {
  try {
    return new Map(Object.entries(JSON.parse(window[NAME] ?? localStorage.getItem(NAME))));
  } catch {
    return new Map(); // nothing yet, or not what this widget wrote
  }
}

export function keepGuesses(guesses) {
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
export function answeredOf(questions) {
  const guesses = readGuesses();
  return new Set(questions.filter((asked) => !problem(asked, guesses.get(asked))));
}

// All guesses of this book that the browser keeps, by what was asked.
export function answersOfBook() {
  const guesses = readGuesses();
  const answered = answeredOf([...questionsOnPage(), ...questionsOnOtherPages()]);
  return new Map([...answered].map((asked) => [asked, guesses.get(asked)]));
}

// In the built page also questions that are not drawn yet count: their state is in the page.
export function questionsOnPage() {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const states = all("[data-widget='predict_then_reveal'] > script[type='application/json']");
  return new Set([
    ...askedInAll(states.map((node) => JSON.parse(node.textContent))),
    ...all(".predict-then-reveal").map((node) => node.dataset.asked),
  ]);
}

// The built book lists the questions of each page in _static/questions.js.
export function questionsOnOtherPages() {
  const here = location.pathname.slice(FOLDER.length).replace(/\.html$/, "");
  const { [here]: onThis, ...others } = window.feedbackBookQuestions ?? {};
  return askedInAll(Object.values(others).flat());
}

const askedInAll = (states) => states.map((state) => askedIn((name) => state[name]));

export function progressOf(questions, answered) {
  const here = [...questions].filter((asked) => answered.has(asked)).length;
  const book = answered.size > here ? `, ${answered.size} in the whole book` : "";
  const noun = questions.size === 1 ? "question" : "questions";
  return `${here} of ${questions.size} ${noun} answered in this chapter${book}`;
}
