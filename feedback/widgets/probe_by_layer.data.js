// What probes are fitted to: vectors at several places of a model, at some steps of many rows.

import { range } from "./base.numbers.js";
import { randomNumbers } from "./base.random.js";
import { CUPS, statesOf } from "./patch_the_memory.numbers.js";
import { fitProbe } from "./probe_by_layer.fit.js";

const [FIT, HELD_OUT] = [144, 48]; // rows
const LENGTH = 18; // shuffles of a row
const STEPS = [8, 11, 14, 17]; // those looked at, from 0

// The places, from below; a record of the engine holds a vector for each.
export const placesOf = (layers) => [
  { name: "embedding", of: ({ outputs }) => outputs[0] },
  ...range(1, layers + 1).flatMap((l) => [
    { name: `after attention ${l}`, of: ({ middles }) => middles[l - 1] },
    { name: `output of layer ${l}`, of: ({ outputs }) => outputs[l] },
  ]),
  { name: "memory vector", of: ({ memory }) => memory },
];

// The state that is asked for at each step: after its shuffle, or before it.
export const askedOf = (states, target) =>
  target === "before" ? [0, ...states.slice(0, -1)] : states;

// Fits a probe at each place, and counts on rows that it has not seen how often it is right. Pauses
// often; `tell` hears of each place when it is done: its probe, and { held, done }.
export function* probeAll(reader, places, target, seed, tell) {
  const random = randomNumbers(seed);
  const count = (FIT + HELD_OUT) * STEPS.length;
  const d = reader.d;
  const vectors = places.map(() => new Float32Array(count * d));
  const labels = new Int32Array(count);
  for (let row = 0, at = 0; row < FIT + HELD_OUT; row++) {
    const tokens = range(0, LENGTH).map(() => Math.floor(random() * CUPS.tokens));
    const asked = askedOf(statesOf(tokens), target);
    const step = reader.begin();
    for (let t = 0; t < LENGTH; t++) {
      const record = step(tokens[t]);
      if (!STEPS.includes(t)) continue;
      yield;
      labels[at] = asked[t];
      places.forEach(({ of }, i) => vectors[i].set(of(record), at * d));
      at++;
    }
  }
  if (target === "shuffled") shuffle(labels, random);
  const fitted = FIT * STEPS.length;
  for (const [i, all] of vectors.entries()) {
    const probe = yield* fitProbe(all.subarray(0, fitted * d), labels.subarray(0, fitted), d, 6);
    let held = 0;
    for (let at = fitted; at < count; at++) {
      if (probe.read(all.subarray(at * d, (at + 1) * d)).state === labels[at]) held++;
    }
    tell(i, { probe, held, done: count - fitted });
    yield;
  }
}

function shuffle(values, random) {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j], values[i]];
  }
}

// The ends of the 95 % interval of a share (Wilson), as feedback/intervals.py has it.
const Z = 1.959963984540054;
export function wilson(held, done) {
  const share = held / done;
  const middle = (share + Z ** 2 / (2 * done)) / (1 + Z ** 2 / done);
  const half =
    (Z * Math.sqrt((share * (1 - share)) / done + Z ** 2 / (4 * done ** 2))) / (1 + Z ** 2 / done);
  return [middle - half, middle + half];
}
