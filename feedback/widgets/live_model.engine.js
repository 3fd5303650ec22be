// The feedback model with shared keys and values, one token after another, in plain loops (chapters
// 4 and 5). d width, H heads, k = d / H, n memory vectors that are kept, V characters, S distances.

import { range } from "./base.numbers.js";
import { randomNumbers } from "./base.random.js";
import {
  add,
  mix,
  norm,
  normalise,
  products,
  relu,
  softmax,
  weightedRows,
} from "./live_model.arithmetic.js";
import { createPast } from "./live_model.past.js";
import { unpack } from "./live_model.weights.js";

// ---- one step ----

// A model whose weights were packed by feedback/widgets/quantised.py.
export const createModel = ({ config, tensors, weights }) =>
  modelOf(config, unpack(weights, tensors));

// A model that reads tokens. `config` has d, heads, layers, memory (how many vectors are kept), eps;
// `weights` are float32 by name.
export function modelOf(config, weights) {
  const { d, heads, layers, memory: kept, eps } = config;
  const k = d / heads;
  const embedding = weights["embedding.weight"];
  const headsOf = (x) => range(0, heads).map((head) => x.subarray(head * k, (head + 1) * k));

  // Each of these looks up its weights once, and returns what computes y from x with them.

  // y = W x + b, for a matrix of one row an output.
  function linear(name) {
    const [matrix, bias] = [weights[`${name}.weight`], weights[`${name}.bias`]];
    return (x, y) => {
      products(matrix, 0, x.length, x, y);
      if (bias) add(y, bias);
    };
  }

  function layerNorm(name) {
    const [gain, bias] = [weights[`${name}.weight`], weights[`${name}.bias`]];
    return (x, y) => normalise(x, gain, bias, eps, y);
  }

  // What each head reads from the past into `read`; returns how much it takes from each key, the
  // softmax of [(q + u)·key + q·r + s] / sqrt(k).
  function attention(name) {
    const [u, r, s] = ["u", "r", "s"].map((term) => weights[`${name}.${term}`]);
    const distances = s.length / heads;
    const withU = new Float32Array(d);
    const byDistance = new Float32Array(distances);
    const scores = new Float32Array(kept);
    return (query, past, read) => {
      const n = past.length();
      // Tables end with the nearest key; all that are too far share the first row.
      const first = Math.max(0, distances - n);
      withU.set(query);
      add(withU, u);
      const [queries, queriesWithU, reads] = [query, withU, read].map(headsOf);
      return queries.map((q, head) => {
        const at = past.start() + head * k;
        products(past.keys, at, d, queriesWithU[head], scores, n);
        products(r, first * d + head * k, d, q, byDistance, distances - first);
        for (let j = 0; j < n; j++) {
          const row = Math.max(0, distances - n + j);
          scores[j] = (scores[j] + byDistance[row - first] + s[row * heads + head]) / Math.sqrt(k);
        }
        const shares = softmax(scores.subarray(0, n));
        weightedRows(past.values, at, d, shares, reads[head]);
        return shares;
      });
    };
  }

  // One layer: its output, what stands in its middle, after attention, and where its heads looked.
  function layer(name) {
    const [norm1, norm2] = ["norm1", "norm2"].map((part) => layerNorm(`${name}.${part}`));
    const [attend, toQuery] = [attention(`${name}.attention`), linear(`${name}.attention.query`)];
    const toOutput = linear(`${name}.attention.output`);
    const [widen, narrow] = ["widen", "narrow"].map((part) =>
      linear(`${name}.feed_forward.${part}`),
    );
    const [query, read, change] = range(0, 3).map(() => new Float32Array(d));
    const hidden = new Float32Array(weights[`${name}.feed_forward.widen.weight`].length / d);
    return (input, past) => {
      const x = input.slice();
      let shares = range(0, heads).map(() => new Float64Array(0));
      if (past.length() > 0) {
        norm1(x, change);
        toQuery(change, query);
        shares = attend(query, past, read);
        toOutput(read, change);
        add(x, change);
      }
      const middle = x.slice();
      norm2(x, change);
      widen(change, hidden);
      relu(hidden);
      narrow(hidden, change);
      add(x, change);
      return { x, middle, shares };
    };
  }

  const run = range(0, layers).map((l) => layer(`core.layers.${l}`));
  const [lastNorm, head] = [layerNorm("core.norm"), linear("head")];
  const [toKey, toValue] = ["key", "value"].map((part) => linear(`core.keys_values.0.${part}`));

  // The logits (V) of a vector (d), by the last norm and the head. Of the last layer's output these
  // are what the model predicts; of any other, what it would predict if no layer followed.
  function predict(output) {
    const [normalised, logits] = [new Float32Array(d), new Float32Array(embedding.length / d)];
    lastNorm(output, normalised);
    head(normalised, logits);
    return logits;
  }

  // A reader with an empty memory, whose memory vectors mix the layers by `mixture`. If `lengthOf` is
  // given, another mixture, each is made as long as the vector that this one would have made. Its
  // step(token) returns all that was computed: outputs (L+1, d), middles (L, d), attention
  // (L, H, n), memory (d), logits (V). If `change` is given, it is told of each step, and what it
  // returns, { forKey, forValue } of width d, is read later in the place of the memory vector.
  function begin({ mixture, lengthOf, change }) {
    const past = createPast(kept, d);
    let steps = 0;
    return function step(token) {
      const outputs = [embedding.slice(token * d, (token + 1) * d)];
      const [attention, middles] = [[], []];
      for (let l = 0; l < layers; l++) {
        const { x, middle, shares } = run[l](outputs[l], past);
        outputs.push(x);
        middles.push(middle);
        attention.push(shares);
      }
      const memory = mix(outputs, mixture);
      if (lengthOf) stretch(memory, norm(mix(outputs, lengthOf)));
      const logits = predict(outputs[layers]);
      const record = { token, outputs, middles, attention, memory, logits };
      const { forKey, forValue } = change?.(record, steps++) ?? {
        forKey: memory,
        forValue: memory,
      };
      const [key, value] = past.next();
      toKey(forKey, key);
      toValue(forValue, value);
      return record;
    };
  }

  return { begin, predict };
}

// Makes x so long, whatever its length; a vector of zeros stays one.
function stretch(x, length) {
  const scale = length / (norm(x) || 1);
  for (let i = 0; i < x.length; i++) x[i] *= scale;
}

// ---- writing ----

// Characters to tokens and back.
export function alphabet(text) {
  const characters = Array.from(text);
  const tokens = new Map(characters.map((character, token) => [character, token]));
  return {
    characters,
    encode: (text) => Array.from(text, (character) => tokens.get(character)),
    decode: (tokens) => tokens.map((token) => characters[token]).join(""),
  };
}

// The tokens that may come next, the likeliest first, as [token, share, own]: `own` is the share that
// the model gives, `share` what temperature and top-k make of it. At temperature 0 one takes all.
export function distribution(logits, { temperature, topK }) {
  const own = softmax(logits);
  const tokens = Array.from(own.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const few = tokens.slice(0, temperature > 0 ? (topK ?? tokens.length) : 1);
  const shares = softmax(
    few.map((token) => logits[token]),
    temperature || 1,
  );
  return tokens.map((token, i) => [token, shares[i] ?? 0, own[token]]);
}

export function draw(choices, number) {
  let left = number;
  for (const [token, share] of choices) if ((left -= share) < 0) return token;
  return choices[0][0]; // the shares summed to a little less than 1
}

// Reads the tokens of a prompt, then goes on; each call of next() is one token. `records` are those
// of the last `kept` steps. The same settings (mixture, lengthOf, temperature, topK, seed) give the same
// tokens.
export function createWriter(model, prompt, { seed, kept = 1, ...settings }) {
  const step = model.begin(settings);
  const random = randomNumbers(seed);
  const [tokens, records] = [[], []];
  const choose = () => draw(distribution(records.at(-1).logits, settings), random());
  const next = () => {
    const token = tokens.length < prompt.length ? prompt[tokens.length] : choose();
    tokens.push(token);
    records.push(step(token));
    if (records.length > kept) records.shift();
  };
  return { tokens, records, next };
}

// The loss of each token of a text but the first, in nats, one at a time.
export function* losses(model, tokens, settings) {
  const step = model.begin(settings);
  for (let t = 1; t < tokens.length; t++)
    yield -Math.log(softmax(step(tokens[t - 1]).logits)[tokens[t]]);
}
