// What passes find one after another: how far each pass moved each memory vector, what the model
// then answers, and how good that is. After as many passes as there are tokens nothing changes.

import { mix, norm } from "./live_model.arithmetic.js";
import { createTask } from "./train_in_the_page.tasks.js";

export const CUPS = createTask("s3");

// The passes over a text that Python recorded.
export function recordedCourse({ text, moved, answers, losses, exact, exact_loss }) {
  const at = (passes) => Math.min(passes, moved.length) - 1;
  return {
    words: Array.from(text),
    moved: (passes) => moved[at(passes)],
    answers: (passes) => Array.from(answers[at(passes)]),
    exact: Array.from(exact),
    score: (passes) => `loss ${losses[at(passes)].toFixed(3)} nats a character`,
    exactScore: exact_loss.toFixed(3),
  };
}

// The passes over shuffles of cups by a reader (live_model.whole.js), each made when it is first asked
// for.
export function computedCourse(reader, shuffles) {
  const read = shuffles.split(" ");
  const tokens = read.map((word) => CUPS.words.indexOf(word));
  const records = tokens.map(stepOf(reader.begin()));
  const exact = records.map(answerOf);
  let state = 0;
  const places = tokens.map((token) => CUPS.words[(state = CUPS.after(state, token))]);
  const right = (answers) => answers.filter((answer, t) => answer === places[t]).length;

  const done = [];
  let vectors = records.map(({ outputs }) => outputs[0]); // the embeddings
  const after = (passes) => {
    const last = Math.min(passes, tokens.length);
    while (done.length < last) {
      const found = onePass(reader, tokens, vectors);
      const moved = found.map(({ memory }, t) => distance(memory, vectors[t]));
      const answers = found.map(answerOf);
      vectors = found.map(({ memory }) => memory);
      done.push({ moved, answers });
    }
    return done[last - 1];
  };
  return {
    words: read,
    moved: (passes) => after(passes).moved,
    answers: (passes) => after(passes).answers,
    exact,
    score: (passes) => `${right(after(passes).answers)} right`,
    exactScore: String(right(exact)),
  };
}

// A pass over tokens: each reads, of the tokens before it, the memory vectors that are given, and not
// those that this pass makes. Returns all that was computed of each token.
export function onePass(reader, tokens, vectors) {
  const change = (_, t) => ({ forKey: vectors[t], forValue: vectors[t] });
  return tokens.map(stepOf(reader.begin({ change })));
}

const stepOf = (step) => (token) => step(token);
const answerOf = ({ logits }) => CUPS.words[logits.indexOf(Math.max(...logits))];

// How far a vector has moved, relative to its length.
const distance = (now, before) => norm(mix([now, before], [1, -1])) / norm(now);
