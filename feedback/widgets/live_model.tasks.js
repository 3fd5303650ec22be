// The two things that there are to compute: a text, and the loss on another. Each call of step() does
// a little, and returns false if there is nothing to do.

import { background } from "./live_model.scheduler.js";

// A text of `length()` tokens by a writer from begin(). When rewrite() says that the settings have
// changed, it is written again, and the old one is shown until that is done.
export function createText(begin, length) {
  let writer = begin();
  const rewriting = background(function* () {
    const next = begin();
    while (next.tokens.length < length()) yield next.next();
    writer = next;
  });
  return {
    written: () => writer,
    rewrite: rewriting.ask,
    isOld: rewriting.isBusy,
    step() {
      if (rewriting.step()) return true;
      if (writer.tokens.length >= length()) return false;
      writer.next();
      return true;
    },
  };
}

// The loss of each character of a text: with the weights that were `learned`, and with those of
// `now`. measure(memory) gives one after another, for memory vectors that are made so.
export function createLoss(measure, memory) {
  const loss = {};
  function* all(made) {
    const found = [];
    for (const one of measure(made)) yield found.push(one);
    return found;
  }
  const measuring = background(function* () {
    loss.learned ??= yield* all(memory.learned());
    loss.now = yield* all(memory.now());
  });
  return { loss, measure: measuring.ask, step: measuring.step };
}
