// A reader's guesses as one line to hand on, and back: no names, and no network.
//
//     guess1;1x2ab=c2;k0j4l=0.25;7qz
//
// A question goes by five characters of its hash, an answer is a number or the number of a choice
// (from 1), and the last three characters tell whether the line is whole.

import { problem } from "./predict_then_reveal.numbers.js";

const BEGINS = /guess(\d+);/;
const WHOLE = /guess1;((?:[0-9a-z]{5}=[-+.0-9a-z]+;)+)([0-9a-z]{3})(?![0-9a-z;=])/g;
const VERSION = "1";

// FNV-1a with 32 bits, of code points in place of bytes, in base 36.
function hash(text) {
  let value = 0x811c9dc5;
  for (const character of text) {
    value = Math.imul(value ^ character.codePointAt(0), 0x01000193);
  }
  return (value >>> 0).toString(36).padStart(7, "0");
}

export const idOf = (asked) => hash(asked).slice(-5);
const checkOf = (answers) => hash(answers).slice(-3);

// The code of guesses, a map from what was asked; "" of none.
export function codeOf(guesses) {
  if (guesses.size === 0) return "";
  const answers = [...guesses].map(([asked, guess]) => {
    const [, choices] = JSON.parse(asked);
    return `${idOf(asked)}=${choices ? `c${choices.indexOf(guess) + 1}` : guess};`;
  });
  const body = answers.sort().join("");
  return `guess${VERSION};${body}${checkOf(body)}`;
}

// What a line of text holds: `codes`, each a list of [id, answer], and why it may hold no code.
// Mail and chats put names before a code and capitals at its start.
export function readLine(line) {
  const text = line.toLowerCase();
  const begins = BEGINS.exec(text);
  if (!begins) return { codes: [], why: "there is no code in it" };
  if (begins[1] !== VERSION) return { codes: [], why: "it is of another edition of this book" };
  const found = [...text.matchAll(WHOLE)].filter(([, body, check]) => checkOf(body) === check);
  const codes = found.map(([, body]) =>
    body
      .slice(0, -1)
      .split(";")
      .map((answer) => answer.split("=")),
  );
  const begun = text.match(new RegExp(BEGINS, "g")).length;
  const why = codes.length < begun ? "its code is not whole, or was changed" : undefined;
  return { codes, why };
}

// The guess that an answer stands for; undefined if what was asked has no such answer.
export function guessOf(asked, answer) {
  const [, choices] = JSON.parse(asked);
  const isChoice = answer.startsWith("c");
  if (isChoice !== Boolean(choices)) return undefined;
  const guess = isChoice ? choices[answer.slice(1) - 1] : Number(answer);
  return problem(asked, guess) ? undefined : guess;
}
