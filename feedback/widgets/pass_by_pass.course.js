// What passes find one after another: how far each pass moved each memory vector, what the model
// then answers, and how good that is. After as many passes as there are tokens nothing changes.

import { mix, norm } from "./live_model.arithmetic.js";

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

// The passes over shuffles of cups, each made when it is first asked for. `words` are all shuffles, in
// the order of their tokens.
export function computedCourse(model, mixture, words, shuffles) {
  const read = shuffles.split(" ");
  const tokens = read.map((word) => words.indexOf(word));
  const step = model.begin({ mixture });
  const exact = tokens.map((token) => words[likeliest(step(token).logits)]);
  const places = followed(read);
  const right = (answers) => answers.filter((answer, t) => answer === places[t]).length;

  const done = [];
  let vectors = tokens.map(model.embed);
  const after = (passes) => {
    const last = Math.min(passes, tokens.length);
    while (done.length < last) {
      const found = model.pass(tokens, vectors, mixture);
      const moved = found.map(({ memory }, t) => distance(memory, vectors[t]));
      const answers = found.map(({ logits }) => words[likeliest(logits)]);
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

// Where the cups are after each shuffle: a cup at place x goes to the place that the shuffle's digit x
// names.
export function followed(shuffles) {
  let places = ["0", "1", "2"];
  return shuffles.map((shuffle) => {
    places = places.map((place) => shuffle[place]);
    return places.join("");
  });
}

const likeliest = (logits) => logits.indexOf(Math.max(...logits));

// How far a vector has moved, relative to its length.
const distance = (now, before) => norm(mix([now, before], [1, -1])) / norm(now);
