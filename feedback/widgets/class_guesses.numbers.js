// What the pasted lines hold, which of them hold no code, and what is said of the guesses.

import { guessOf, idOf, readLine } from "./predict_then_reveal.code.js";
import { askedIn, readable, scaleOf, shown } from "./predict_then_reveal.numbers.js";

export const modelOf = (question) => ({ get: (name) => question[name] });

// The guesses of a class. `questions` are states of the widget that asks. `found` has those that
// anybody answered, in their order, each with its guesses; `readers` is the number of codes, and
// `faults` names lines, from 1, that hold no code, or no more than a part of one that counts.
export function gather(text, questions) {
  const byId = new Map();
  for (const question of questions) {
    const asked = askedIn((name) => question[name]);
    byId.set(idOf(asked), { question, asked, guesses: [] });
  }
  const [faults, seen] = [[], new Map()];
  let readers = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (!line.trim()) continue;
    const name = (why) => faults.push({ line: index + 1, why });
    const { codes, why } = readLine(line);
    if (why) name(why);
    for (const code of codes) {
      readers++;
      const key = code.join();
      if (seen.has(key)) name(`it says the same as line ${seen.get(key)}; both count`);
      else seen.set(key, index + 1);
      const lost = code.filter(([id, answer]) => !take(byId.get(id), answer)).length;
      if (lost > 0) name(`${lost} of its ${code.length} answers fit no question of this book`);
    }
  }
  return { found: [...byId.values()].filter((one) => one.guesses.length > 0), readers, faults };
}

function take(entry, answer) {
  const guess = entry && guessOf(entry.asked, answer);
  if (guess === undefined) return false;
  entry.guesses.push(guess);
  return true;
}

// Of choices, how many guesses each has.
export const counts = ({ choices }, guesses) =>
  choices.map((choice) => guesses.filter((guess) => guess === choice).length);

// As the question itself says it: right, close, or within its factor.
export function isGood({ choices, truth, tolerance, factor }, guess) {
  if (choices) return guess === truth;
  if (readable(guess) === readable(truth)) return true;
  if (factor !== null) return Math.max(guess / truth, truth / guess) <= factor;
  return Math.abs(guess - truth) <= tolerance;
}

// The line on which numbers are drawn: the slider's, or one that holds all guesses and the truth.
// `partOf` leads to 0..1.
export function lineOf(question, guesses) {
  let { low, high } = question;
  if (low === null) {
    const values = [...guesses, question.truth];
    [low, high] = [Math.min(...values), Math.max(...values)];
    if (question.factor !== null) [low, high] = [low / question.factor, high * question.factor];
    else [low, high] = [Math.min(0, low), low === high ? high + 1 : high];
  }
  return { low, high, ...scaleOf(modelOf({ ...question, low, high })) };
}

// Where dots come to stand that would lie on one another: `bins` places, and a row above each.
export function stacked(parts, bins) {
  const heights = new Map();
  return parts.map((part) => {
    const bin = Math.round(part * bins);
    const row = heights.get(bin) ?? 0;
    heights.set(bin, row + 1);
    return { part: bin / bins, row };
  });
}

const guessesOf = (count) => (count === 1 ? "1 guess" : `${count} guesses`);

// One sentence on the guesses at a question; the second says what was computed.
export function sentences(question, guesses) {
  const model = modelOf(question);
  const good = guesses.filter((guess) => isGood(question, guess)).length;
  if (question.choices) {
    const most = Math.max(...counts(question, guesses));
    const liked = question.choices.filter((_, i) => counts(question, guesses)[i] === most);
    const named = liked.map((choice) => `\u201c${choice}\u201d`).join(" and ");
    const said = `${guessesOf(guesses.length)}; most often (${most}): ${named}.`;
    return [said, `Computed: \u201c${question.truth}\u201d. ${good} said so.`];
  }
  const sorted = [...guesses].sort((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  const [least, most, half] = [sorted[0], sorted.at(-1), middle].map((x) => shown(model, x));
  const said = `${guessesOf(guesses.length)}, from ${least} to ${most}; median ${half}.`;
  return [said, `Computed: ${shown(model, question.truth)}. ${good} came close.`];
}
