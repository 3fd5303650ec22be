// A reader's guesses as a line, and the guesses of a class.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as group from "../../feedback/widgets/class_guesses.numbers.js";
import {
  codeOf,
  guessOf,
  idOf,
  readLine,
} from "../../feedback/widgets/predict_then_reveal.code.js";
import { askedIn } from "../../feedback/widgets/predict_then_reveal.numbers.js";

const EMPTY = { choices: null, unit: "", low: null, high: null, factor: null, tolerance: 0 };
const NUMBER = { ...EMPTY, question: "How many?", truth: 12, tolerance: 2 };
const TIMES = { ...EMPTY, question: "How often?", truth: 8, factor: 2, low: 1, high: 64 };
const CHOICE = { ...EMPTY, question: "Which?", truth: "left", choices: ["left", "right", "both"] };
const ALL = [NUMBER, TIMES, CHOICE];
const asked = (question) => askedIn((name) => question[name]);
const codeFor = (...answers) =>
  codeOf(new Map(answers.map(([question, guess]) => [asked(question), guess])));
const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-9, `${found}`);

test("what is written is read, whatever stands around it", () => {
  const guesses = [
    [NUMBER, -0.000001234],
    [TIMES, 63.5],
    [CHOICE, "both"],
  ];
  const code = codeFor(...guesses);
  assert.match(code, /^guess1;[-+.;=0-9a-z]+$/);
  assert.equal(codeFor(...guesses.toReversed()), code);
  const around = [code, ` Ann, 10:15: "${code}".`, `- ${code},`, code.replace("guess", "Guess")];
  for (const line of around) {
    const { codes, why } = readLine(line);
    assert.equal(why, undefined);
    const answers = new Map(codes[0]);
    for (const [question, guess] of guesses) {
      assert.equal(guessOf(asked(question), answers.get(idOf(asked(question)))), guess);
    }
  }
  assert.equal(codeOf(new Map()), "");
});

test("a code that lost or changed any character is refused", () => {
  const code = codeFor([NUMBER, 12], [CHOICE, "left"]);
  for (let i = "guess1;".length; i < code.length; i++) {
    const rest = code.slice(i + 1);
    const other = code[i] === "7" ? "8" : "7";
    for (const spoiled of [
      code.slice(0, i),
      code.slice(0, i) + rest,
      code.slice(0, i) + other + rest,
    ]) {
      const { codes, why } = readLine(spoiled);
      assert.deepEqual(codes, [], spoiled);
      assert.equal(why, "its code is not whole, or was changed", spoiled);
    }
  }
  assert.match(readLine(code.replace("guess1", "guess2")).why, /another edition/);
  assert.equal(readLine("I was not there").why, "there is no code in it");
});

test("every line of a class counts or is named", () => {
  const [ann, bob] = [codeFor([NUMBER, 10], [CHOICE, "left"]), codeFor([NUMBER, 20])];
  const other = codeFor([{ ...NUMBER, question: "How few?" }, 3], [TIMES, 4]);
  const lines = [ann, "", "hello", bob, `Cy ${ann} ${bob}`, bob.slice(0, -1), other];
  const { found, readers, faults } = group.gather(lines.join("\n"), ALL);
  assert.equal(readers, 5);
  assert.deepEqual(
    found.map(({ question, guesses }) => [question.question, guesses]),
    [
      ["How many?", [10, 20, 10, 20]],
      ["How often?", [4]],
      ["Which?", ["left", "left"]],
    ],
  );
  assert.deepEqual(
    faults.map(({ line, why }) => `${line}: ${why}`),
    [
      "3: there is no code in it",
      "5: it says the same as line 1; both count",
      "5: it says the same as line 4; both count",
      "6: its code is not whole, or was changed",
      "7: 1 of its 2 answers fit no question of this book",
    ],
  );
});

test("an answer that is no guess at its question is refused", () => {
  for (const [question, answer] of [
    [CHOICE, "c4"],
    [CHOICE, "c0"],
    [CHOICE, "2"],
    [NUMBER, "c1"],
    [NUMBER, "1e99"],
    [TIMES, "65"],
    [TIMES, "-"],
  ]) {
    assert.equal(guessOf(asked(question), answer), undefined, answer);
  }
});

test("numbers stand on the line of their slider, or on one that holds them all", () => {
  const log = group.lineOf(TIMES, [1, 64]);
  [1, 8, 64].forEach((value, i) => {
    near(log.partOf(value), i / 2);
  });
  const linear = group.lineOf(NUMBER, [6, 24]);
  assert.deepEqual([linear.low, linear.high], [0, 24]);
  near(linear.partOf(6), 0.25);
  assert.deepEqual(group.lineOf({ ...NUMBER, truth: 0 }, [0]).high, 1);
  const typed = group.lineOf({ ...TIMES, low: null, high: null }, [2, 32]);
  assert.deepEqual([typed.low, typed.high], [1, 64]);
});

test("dots that fall together are stacked", () => {
  const places = group.stacked([0, 0.5, 0.501, 1, 0.5], 10);
  assert.deepEqual(
    places.map(({ row }) => row),
    [0, 0, 1, 0, 2],
  );
});

test("the sentences say how many, where, and how many were near", () => {
  assert.deepEqual(group.sentences(NUMBER, [10, 40, 13]), [
    "3 guesses, from 10 to 40; median 13.",
    "Computed: 12. 2 came close.",
  ]);
  assert.deepEqual(group.sentences(TIMES, [4]), [
    "1 guess, from 4 to 4; median 4.",
    "Computed: 8. 1 came close.",
  ]);
  assert.deepEqual(group.sentences(CHOICE, ["both", "both", "left"]), [
    "3 guesses; most often (2): \u201cboth\u201d.",
    "Computed: \u201cleft\u201d. 1 said so.",
  ]);
});
