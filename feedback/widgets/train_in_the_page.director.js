// Directs the runs: both models make the same updates, on rows of the same lengths, in rounds. After
// each round it is known what came out, and decided how long the next rows are.

import { EVERY, lengthAfter } from "./train_in_the_page.lengths.js";

const ROWS = 64; // held-out rows that are answered after each round
const MANY = 512; // held-out rows on which it is decided whether a task is solved
const SOLVED = 0.99; // of the answers, at each place
const MOST = 3000; // updates after which training rests by itself

export const isSolved = (right) => right.length > 0 && Math.min(...right) >= SOLVED;

// `trainers` by model name; `begin` gives for each what its run starts from (see commands.js), and
// `limits` the shortest and longest rows. `show(progress)` is called when something has changed.
export function createDirector(trainers, begin, limits, show) {
  const names = Object.keys(trainers);
  const each = (action) => Promise.all(names.map(action));
  const progress = {
    updates: 0,
    length: limits.shortest,
    losses: Object.fromEntries(names.map((name) => [name, []])), // [updates, loss] of each round
    right: {}, // at each place of a held-out row, by model
    shares: [],
    solved: {}, // updates after which, by model
    asked: undefined, // { length, right by model }: rows longer than in training
    playing: false,
    busy: false,
  };
  let [untrained, mean, begun, ended, last] = [undefined, [], undefined, false, undefined];

  // One thing after another; `busy` while there is one.
  const queue = (action) => {
    const run = async () => {
      if (ended) return;
      progress.busy = true;
      begun ??= each((name) => trainers[name].ask("begin", begin[name]));
      await begun;
      await action();
      progress.busy = false;
      if (!ended) show(progress);
    };
    last = (last ?? Promise.resolve()).then(run);
    return last;
  };

  async function train(count) {
    const given = { count, length: progress.length, rows: ROWS, longest: limits.longest };
    const found = await each((name) => trainers[name].ask("train", given));
    if (ended) return;
    progress.updates += count;
    names.forEach((name, i) => {
      progress.losses[name].push([progress.updates, found[i].loss]);
      progress.right[name] = found[i].right;
      if (found[i].shares.length > 0) progress.shares = found[i].shares;
    });
    progress.asked = undefined;
    mean.push(Math.min(...found.map(({ loss }) => loss)));
    if (progress.updates % EVERY > 0) return;
    await judge();
    const best = mean.reduce((sum, loss) => sum + loss, 0) / mean.length;
    untrained ??= best;
    mean = [];
    progress.length = lengthAfter(progress.length, best, untrained, limits);
  }

  // Whether what looks solved on a few rows is so on many. Training rests when the first model has.
  async function judge() {
    for (const name of names) {
      if (progress.solved[name] || !isSolved(progress.right[name])) continue;
      const given = { rows: MANY, length: limits.longest };
      const { right } = await trainers[name].ask("examine", given);
      if (!isSolved(right)) continue;
      progress.right[name] = right;
      progress.solved[name] = progress.updates;
      progress.playing = false;
    }
  }

  async function play() {
    if (progress.playing) return;
    progress.playing = true;
    const until = progress.updates + MOST;
    while (progress.playing && !ended) {
      await queue(() => train(EVERY - (progress.updates % EVERY)));
      if (progress.updates >= until) progress.playing = false;
    }
    if (!ended) show(progress);
  }

  return {
    progress,
    play,
    pause() {
      progress.playing = false;
    },
    step: () => queue(() => train(1)),
    // How well rows of a length are answered that no model was trained on.
    ask: (length) =>
      queue(async () => {
        const rows = Math.max(32, Math.min(MANY, Math.floor(8192 / length)));
        const found = await each((name) => trainers[name].ask("examine", { rows, length }));
        const right = Object.fromEntries(names.map((name, i) => [name, found[i].right]));
        progress.asked = { length, rows, right };
      }),
    async weights() {
      const found = {};
      await queue(async () => {
        for (const name of names) found[name] = await trainers[name].ask("weights");
      });
      return found;
    },
    end() {
      ended = true;
      progress.playing = false;
      for (const name of names) trainers[name].end();
    },
  };
}
