// What is computed and said: two rows of shuffles, and one with memory vectors of the other put in.
//
// Steps count from 1, as a reader counts them. The donor reads READ shuffles; the row reads as many
// of its own, and goes on to TOTAL. `put` holds pairs [from, to]: in the place of the row's vector
// `to` stands the donor's vector `from`, or the part of it that is chosen.

import { percent, range } from "./base.numbers.js";
import { mix, softmax } from "./live_model.arithmetic.js";
import { createTask } from "./train_in_the_page.tasks.js";

export const READ = 6;
export const TOTAL = 12;
export const CUPS = createTask("s3");

// Which cup stands at each place, in a state: a state says for each cup where it is.
export const cupsOf = (state) =>
  [0, 1, 2].map((place) => "ABC"[CUPS.words[state].indexOf(String(place))]).join("");

export function statesOf(tokens) {
  let state = 0;
  return tokens.map((token) => (state = CUPS.after(state, token)));
}

// Two rows that stand in different states when the donor ends.
export function drawRows(random) {
  const draw = (count) => range(0, count).map(() => Math.floor(random() * CUPS.tokens));
  const stateOf = (tokens) => statesOf(tokens.slice(0, READ)).at(-1);
  let [row, donor] = [draw(TOTAL), draw(READ)];
  while (stateOf(row) === stateOf(donor)) [row, donor] = [draw(TOTAL), draw(READ)];
  return { row, donor };
}

// The last `count` vectors up to the donor's `from`, put where the row's last up to `to` are.
export function withPut(put, from, to, count) {
  const pairs = new Map(put.map(([from, to]) => [to, from]));
  for (let i = 0; i < count && from > i && to > i; i++) pairs.set(to - i, from - i);
  return [...pairs].map(([to, from]) => [from, to]).sort((a, b) => a[1] - b[1]);
}

// ---- running ----

// What `reader` computes at each step of a row; `put` and `part` as above, from the donor's records.
export function run(reader, tokens, donor = [], put = [], part = "all") {
  const from = new Map(put.map(([from, to]) => [to, donor[from - 1]]));
  const change = ({ memory, outputs }, t) => {
    const other = from.get(t + 1);
    if (!other) return undefined;
    if (part === "keys") return { forKey: other.memory, forValue: memory };
    if (part === "values") return { forKey: memory, forValue: other.memory };
    if (part === "all") return { forKey: other.memory, forValue: other.memory };
    const layer = Number(part.replace("share ", ""));
    const mixed = outputs.map((output, l) => (l === layer ? other.outputs[l] : output));
    const made = mix(mixed, reader.mixture);
    return { forKey: made, forValue: made };
  };
  return tokens.map(stepOf(reader.begin({ change })));
}

const stepOf = (step) => (token) => {
  const record = step(token);
  return { ...record, ...answerOf(record.logits) };
};

// The likeliest state, and how likely it is.
export function answerOf(logits) {
  const shares = softmax(logits);
  const answer = shares.indexOf(Math.max(...shares));
  return { answer, share: shares[answer] };
}

// All that there is to show.
export function compare(reader, { row, donor, put, part }) {
  const donorRun = run(reader, donor);
  const [without, found] = [[], put].map((put) => run(reader, row, donorRun, put, part));
  const [from, to] = put.at(-1) ?? [READ, READ];
  const own = statesOf(row);
  const gone = donorPath(statesOf(donor)[from - 1], row, to); // from step to + 1 on
  return { donorRun, without, found, own, gone, from, to };
}

// Where the donor's state leads, with the row's own shuffles behind step `to`.
function donorPath(state, row, to) {
  let reached = state;
  return row.slice(to).map((token) => (reached = CUPS.after(reached, token)));
}

// Whose state an answer at a step goes on from: "donor", "row" or "neither". Where nothing is put
// in, or both stand in one state, nobody can tell: then it is undefined.
export function goesOnFrom({ found, own, gone, to }, put, step) {
  if (put.length === 0 || step <= to) return undefined;
  const [theirs, ours] = [gone[step - to - 1], own[step - 1]];
  if (theirs === ours) return undefined;
  const { answer } = found[step - 1];
  return answer === theirs ? "donor" : answer === ours ? "row" : "neither";
}

// ---- saying ----

export const partsOf = (layers) => [
  ["all", "all of it"],
  ["keys", "its keys alone"],
  ["values", "its values alone"],
  ["share 0", "its share of the embedding"],
  ...range(1, layers + 1).map((layer) => [`share ${layer}`, `its share of layer ${layer}`]),
];

const said = ({ answer, share }) => `${cupsOf(answer)} with ${percent(share)}\u00a0%`;

// The same words as PatchTheMemory.describe in Python.
export function describe(now, put, part) {
  const { without, found, to } = now;
  if (put.length === 0) {
    return `Nothing is put in. After shuffle ${READ + 1} the model answers ${said(found[READ])}.`;
  }
  const names = (which) => put.map((pair) => `m${pair[which]}`).join(", ");
  const [place, vector] = put.length > 1 ? ["places", "vectors"] : ["place", "vector"];
  const stands = put.length > 1 ? "stand" : "stands";
  const whole = new Map(partsOf(now.donorRun[0].outputs.length - 1)).get(part);
  const which =
    part === "all"
      ? `In the ${place} of ${names(1)} ${stands} the donor's ${names(0)}.`
      : `Of the donor's ${vector} ${names(0)}, ${whole} ${stands} in the ${place} of ${names(1)}.`;
  const first = `After shuffle ${to + 1} the model answers ${said(found[to])}, and without this ${said(without[to])}.`;
  const goes = range(to + 1, TOTAL + 1).map((step) => goesOnFrom(now, put, step));
  if (!goes[0]) {
    return `${which} ${first} Both rows stand in the same state there, so no answer can tell them apart.`;
  }
  const counted = (name) => goes.filter((each) => each === name).length;
  const count = `Of ${goes.length} answers from there on, ${counted("donor")} go on from the donor's state and ${counted("row")} from the row's own.`;
  return `${which} ${first} ${count}`;
}
