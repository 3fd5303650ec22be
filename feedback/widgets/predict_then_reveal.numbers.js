// What a question asks, what is a guess at it, where numbers stand on a line, and what is said of
// them: the words for print are the same as in predict_then_reveal.py.

import { withMinus } from "./base.numbers.js";

// What a question asks, as a text: a guess is one at just this. In another edition of the book the
// same words may offer other choices, or ask for another unit.
const FIELDS = ["question", "choices", "unit", "low", "high", "factor"];
export const askedIn = (get) => JSON.stringify(FIELDS.map(get));

// Numbers outside of these have too many digits for a line.
const [SMALLEST, LARGEST] = [1e-9, 1e15];

// Why this is no guess at what is asked; undefined if it is one.
export function problem(asked, guess) {
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

// Between the parts 0..1 of a line and the values that stand there: the slider's, or, where a
// number is typed, from 0 to the larger one of guess and truth.
export function scaleOf(model) {
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

export function shown(model, value) {
  const unit = model.get("unit");
  return readable(value) + (unit && `\u00a0${unit}`);
}

// Three digits that count, and whole numbers in full.
export function readable(value) {
  const whole = Number.isInteger(value) || Math.abs(value) >= 100;
  const digits = whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return withMinus((whole ? Math.round(value) : value).toLocaleString("en", digits));
}

// On paper nobody can guess first.
export function printed(model) {
  const truth = model.get("truth");
  const answer = model.get("choices") ? truth : shown(model, truth);
  return `(Answer: ${answer}. ${model.get("explanation")})`;
}

export function verdict(model) {
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
