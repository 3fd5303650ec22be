// The weights of the present text, where the heads look, and what is said of it: the same as in
// memory_attention.py.

import { percent, range } from "./base.numbers.js";

// The tokens of the present text, and weight(m, l, h, t, j) of model m, all counted from 0.
export function read(model) {
  const [names, L, H] = ["names", "layers", "heads"].map((name) => model.get(name));
  const all = model.get("tokens");
  // A text that is being replaced is in none of the places: the new one is last.
  const index = model.get("texts").indexOf(model.get("text"));
  const place = index < 0 ? all.length - 1 : index;
  const below = (T) => (T * (T + 1)) / 2; // pairs of t and j < t + 1
  const maps = names.length * L * H;
  const start = all.slice(0, place).reduce((sum, tokens) => sum + maps * below(tokens.length), 0);
  const tokens = all[place];
  const T = tokens.length;
  const packed = model.get("weights");
  const weight = (m, l, h, t, j) => {
    if (j > t) return 0;
    const map = (m * L + l) * H + h;
    return packed.getUint16(2 * (start + map * below(T) + below(t) + j), true) / 65535;
  };
  return { tokens, weight };
}

// The heads that are shown, counted from 0.
export function headsOf(model) {
  const head = model.get("head");
  return head ? [head - 1] : range(0, model.get("heads"));
}

// The step and the layer that are shown, counted from 0. (A new text may be shorter than the last.)
export function placeOf(model, tokens) {
  return { t: Math.min(model.get("step"), tokens.length - 1), l: model.get("layer") - 1 };
}

// What a head gives to the steps 0..t, and where most goes: undefined if it reads nothing.
export function rowOf({ weight }, m, l, h, t) {
  const values = range(0, t + 1).map((j) => weight(m, l, h, t, j));
  const most = Math.max(...values);
  return { values, best: most > 0 ? values.indexOf(most) : undefined };
}

// Each weight as a part of the row's largest. (Most weights are a few per cent: as parts of 1 they
// would all look empty.)
export const partsOf = ({ values, best }) => values.map((value) => value / (values[best] ?? 1));

const NAMES = new Map([
  [" ", "space"],
  ["\n", "new line"],
  ["\t", "tab"],
]);
export const spoken = (token) => NAMES.get(token) ?? `\u201c${token}\u201d`;
export const exact = (weight) => `${(100 * weight).toFixed(1)}\u00a0%`;

// Where the chosen step looks most; `sentence` in Python says the same.
export function sentenceOf(model, text) {
  const { tokens } = text;
  const { t, l } = placeOf(model, tokens);
  const heads = headsOf(model);
  const s = heads.length === 1 ? "s" : "";
  let before;
  const parts = model.get("names").map((name, m, names) => {
    const rows = heads.map((h) => rowOf(text, m, l, h, t));
    const [{ values, best }] = rows;
    const steps = rows.map(({ best }) => best ?? 0).join(", ");
    let [verb, rest] = [`look${s} most`, `at steps ${steps}`];
    if (rows.every(({ best }) => best === undefined)) {
      [verb, rest] = [`read${s}`, "nothing, as there is no earlier step"];
    } else if (heads.length === 1) {
      rest = `at step ${best} (${spoken(tokens[best])}), ${percent(values[best])}\u00a0%`;
    }
    const part = verb === before ? rest : `${verb} ${rest}`; // a verb is not said twice
    before = verb;
    return names.length > 1 ? `${part} (${name})` : part;
  });
  const who = heads.length > 1 ? `heads 1 to ${heads.length}` : `head ${heads[0] + 1}`;
  return `At step ${t} (${spoken(tokens[t])}), layer ${l + 1}, ${who} ${parts.join(", and ")}.`;
}
