// The feedback model with shared keys and values, one token after another, in plain loops (chapters
// 4 and 5). d width, H heads, k = d / H, n memory vectors that are kept, V characters.

// ---- weights ----

// The tensors that feedback/widgets/quantised.py packed, by name, as float32.
export function unpack(view, tensors) {
  // A copy, because a Float32Array cannot begin at any byte.
  const { buffer } = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  const product = (shape) => shape.reduce((size, n) => size * n, 1);
  const rowsOf = (shape) => product(shape.length === 1 ? shape : shape.slice(0, -1));
  const rows = tensors.map(([, shape]) => rowsOf(shape));
  const floats = new Float32Array(
    buffer,
    0,
    rows.reduce((sum, n) => sum + n, 0),
  );
  const integers = new Int8Array(buffer, floats.byteLength);
  let [nextFloat, nextInteger] = [0, 0];
  const unpacked = tensors.map(([name, shape], i) => {
    const scales = floats.slice(nextFloat, (nextFloat += rows[i]));
    if (shape.length === 1) return [name, scales];
    const columns = shape.at(-1);
    const tensor = new Float32Array(rows[i] * columns);
    for (let row = 0, j = 0; row < rows[i]; row++) {
      for (let end = j + columns; j < end; j++) tensor[j] = integers[nextInteger++] * scales[row];
    }
    return [name, tensor];
  });
  return Object.fromEntries(unpacked);
}

// ---- one step ----

// A model that reads tokens. `config` has d, heads, layers, memory (how many vectors are kept), eps.
export function createModel({ config, tensors, weights: view }) {
  const { d, heads, layers, memory: kept, eps } = config;
  const k = d / heads;
  const weights = unpack(view, tensors);
  const embedding = weights["embedding.weight"];

  // W x + b, for a matrix of one row an output.
  function linear(name, x) {
    const [matrix, bias] = [weights[`${name}.weight`], weights[`${name}.bias`]];
    const y = new Float32Array(matrix.length / x.length);
    for (let row = 0, i = 0; row < y.length; row++) {
      let sum = bias ? bias[row] : 0;
      for (let column = 0; column < x.length; column++) sum += matrix[i++] * x[column];
      y[row] = sum;
    }
    return y;
  }

  function normalised(name, x) {
    const [gain, bias] = [weights[`${name}.weight`], weights[`${name}.bias`]];
    const mean = x.reduce((sum, value) => sum + value, 0) / d;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / d;
    const scale = 1 / Math.sqrt(variance + eps);
    return x.map((value, i) => (value - mean) * scale * gain[i] + bias[i]);
  }

  // How much each head of a layer takes from each key: softmax of [(q + u)·key + q·r + s] / sqrt(k).
  function attend(name, query, keys) {
    const [u, r, s] = ["u", "r", "s"].map((term) => weights[`${name}.${term}`]);
    const distances = s.length / heads;
    return Array.from({ length: heads }, (_, head) => {
      const scores = keys.map((key, j) => {
        // Tables end with the nearest key; all that are too far share the first row.
        const row = Math.max(0, distances - keys.length + j) * heads + head;
        let sum = s[row];
        for (let i = 0, a = head * k, b = row * k; i < k; i++, a++, b++) {
          sum += (query[a] + u[a]) * key[a] + query[a] * r[b];
        }
        return sum / Math.sqrt(k);
      });
      return softmax(scores);
    });
  }

  function readValues(attention, values) {
    const read = new Float32Array(d);
    attention.forEach((shares, head) =>
      values.forEach((value, j) => {
        for (let i = head * k; i < (head + 1) * k; i++) read[i] += shares[j] * value[i];
      }),
    );
    return read;
  }

  // One layer: its output, and where its heads looked.
  function runLayer(name, input, keys, values) {
    let x = input;
    let attention = Array.from({ length: heads }, () => []);
    if (keys.length > 0) {
      const query = linear(`${name}.attention.query`, normalised(`${name}.norm1`, x));
      attention = attend(`${name}.attention`, query, keys);
      x = sum(x, linear(`${name}.attention.output`, readValues(attention, values)));
    }
    const hidden = linear(`${name}.feed_forward.widen`, normalised(`${name}.norm2`, x));
    hidden.forEach((value, i) => (hidden[i] = Math.max(0, value)));
    return { x: sum(x, linear(`${name}.feed_forward.narrow`, hidden)), attention };
  }

  // A reader with an empty memory, whose memory vectors mix the layers by `mixture`. Its step(token)
  // returns all that was computed: outputs (L+1, d), attention (L, H, n), memory (d), logits (V).
  function begin(mixture) {
    const [keys, values] = [[], []];
    return function step(token) {
      const outputs = [embedding.slice(token * d, (token + 1) * d)];
      const attention = [];
      for (let layer = 0; layer < layers; layer++) {
        const done = runLayer(`core.layers.${layer}`, outputs[layer], keys, values);
        outputs.push(done.x);
        attention.push(done.attention);
      }
      const memory = mix(outputs, mixture);
      keys.push(linear("core.keys_values.0.key", memory));
      values.push(linear("core.keys_values.0.value", memory));
      if (keys.length > kept) [keys, values].forEach((past) => past.shift());
      const logits = linear("head", normalised("core.norm", outputs[layers]));
      return { token, outputs, attention, memory, logits };
    };
  }

  return { begin };
}

// m = sum_l weights[l] * outputs[l]
export function mix(outputs, weights) {
  const m = new Float32Array(outputs[0].length);
  outputs.forEach((output, l) => m.forEach((_, i) => (m[i] += weights[l] * output[i])));
  return m;
}

const sum = (x, y) => x.map((value, i) => value + y[i]);

export function softmax(scores, temperature = 1) {
  const largest = Math.max(...scores);
  const odds = Array.from(scores, (score) => Math.exp((score - largest) / temperature));
  const total = odds.reduce((sum, value) => sum + value, 0);
  return odds.map((value) => value / total);
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

// Numbers in 0..1 from a seed: mulberry32, a public domain generator by Tommy Ettinger.
export function randomNumbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function draw(choices, number) {
  let left = number;
  for (const [token, share] of choices) if ((left -= share) < 0) return token;
  return choices[0][0]; // the shares summed to a little less than 1
}

// Reads the tokens of a prompt, then goes on; each call of next() is one token. `records` are those
// of the last `kept` steps. The same settings (mixture, temperature, topK, seed) give the same tokens.
export function createWriter(model, prompt, { mixture, seed, kept = 1, ...settings }) {
  const step = model.begin(mixture);
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
export function* losses(model, tokens, mixture) {
  const step = model.begin(mixture);
  for (let t = 1; t < tokens.length; t++)
    yield -Math.log(softmax(step(tokens[t - 1]).logits)[tokens[t]]);
}
