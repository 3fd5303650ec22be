// What can be asked of who trains, in a worker or in the page itself. Each answer comes from a
// generator that pauses often, and is plain data: it may have to travel.

import { createRun } from "./train_in_the_page.run.js";

export function createCommands() {
  let run;
  return {
    // A fresh run; see run.js. `weights` may be missing.
    *begin({ config, settings, weights }) {
      run = createRun(config, settings, weights);
      yield;
      return { shares: run.shares() };
    },
    // Some updates on rows of a length, and how well held-out rows of another are then answered.
    *train({ count, length, rows, longest }) {
      const loss = yield* run.train(count, length);
      const { right } = yield* run.examine(rows, longest);
      return { loss, right, shares: run.shares() };
    },
    *examine({ rows, length }) {
      return yield* run.examine(rows, length);
    },
    *weights() {
      yield;
      return run.parameters.values.slice();
    },
  };
}
