// Attention of one layer, one step at a time: every row of the batch reads keys of earlier steps.
//
// Rows are steps of a batch of B: row t B + b is step t of row b. A score is [(q + u)·key + q·r + s]
// over the root of k, with a row of the tables r and s for each distance; see chapter 1.

// Room for T steps of B rows; `keys` and `values`, (T B, d), and where their gradients are gathered
// may be shared with other layers. A layer reads at most `reach` earlier steps, and its own if
// `readsItself`.
export function createAttention(parameters, name, config, room, sources) {
  const { d, heads } = config;
  const { batch, steps } = room;
  const { keys, values, dKeys, dValues, reach, readsItself } = sources;
  const [u, r, s] = ["u", "r", "s"].map((part) => parameters.get(`${name}.${part}`));
  const k = d / heads;
  const root = Math.sqrt(k);
  const most = Math.min(reach, steps - 1) + (readsItself ? 1 : 0); // keys that a step reads
  const [query, read, dQuery, dRead] = [0, 1, 2, 3].map(() => new Float32Array(batch * steps * d));
  const weights = new Float32Array(batch * steps * heads * Math.max(1, most));
  const scratch = new Float64Array(Math.max(1, most));
  const distances = s.rows;
  // Every step adds to these, so they are kept in double precision until `gradients`.
  const [du, dr, ds] = [u, r, s].map(({ value }) => new Float64Array(value.length));

  // The first step that step t reads, how many it reads, and where its weights stand.
  const firstOf = (t) => Math.max(0, t - reach);
  const countOf = (t) => t - firstOf(t) + (readsItself ? 1 : 0);
  const weightsOf = (row, head) => (row * heads + head) * most;
  // The table's row of the key at place j of n; all that are too far share the first.
  const distanceOf = (j, n) => Math.max(0, distances - n + j);

  // From `query`, keys and values to `read`, for step t of a batch of so many rows.
  function forward(t, rows) {
    const [first, n] = [firstOf(t), countOf(t)];
    for (let b = 0; b < rows; b++) {
      for (let head = 0; head < heads; head++) {
        const [q, at] = [(t * rows + b) * d + head * k, weightsOf(t * rows + b, head)];
        let largest = Number.NEGATIVE_INFINITY;
        for (let j = 0; j < n; j++) {
          const key = ((first + j) * rows + b) * d + head * k;
          const distance = distanceOf(j, n) * heads + head;
          let sum = s.value[distance];
          for (let i = 0; i < k; i++) {
            const x = query[q + i];
            sum += (x + u.value[head * k + i]) * keys[key + i] + x * r.value[distance * k + i];
          }
          scratch[j] = sum / root;
          if (scratch[j] > largest) largest = scratch[j];
        }
        let total = 0;
        for (let j = 0; j < n; j++) total += scratch[j] = Math.exp(scratch[j] - largest);
        for (let i = 0; i < k; i++) read[q + i] = 0;
        for (let j = 0; j < n; j++) {
          const value = ((first + j) * rows + b) * d + head * k;
          const share = scratch[j] / total;
          weights[at + j] = share;
          for (let i = 0; i < k; i++) read[q + i] += share * values[value + i];
        }
      }
    }
  }

  // From dRead of step t to dQuery; adds to the gradients of the keys, values and tables it read.
  function back(t, rows) {
    const [first, n] = [firstOf(t), countOf(t)];
    for (let b = 0; b < rows; b++) {
      for (let head = 0; head < heads; head++) {
        const [q, at] = [(t * rows + b) * d + head * k, weightsOf(t * rows + b, head)];
        let mean = 0; // of the gradients of the weights, each counted by its weight
        for (let j = 0; j < n; j++) {
          const value = ((first + j) * rows + b) * d + head * k;
          const share = weights[at + j];
          let sum = 0;
          for (let i = 0; i < k; i++) {
            sum += dRead[q + i] * values[value + i];
            dValues[value + i] += share * dRead[q + i];
          }
          scratch[j] = sum;
          mean += share * sum;
        }
        for (let i = 0; i < k; i++) dQuery[q + i] = 0;
        for (let j = 0; j < n; j++) {
          const key = ((first + j) * rows + b) * d + head * k;
          const distance = distanceOf(j, n) * heads + head;
          const dScore = (weights[at + j] * (scratch[j] - mean)) / root;
          ds[distance] += dScore;
          for (let i = 0; i < k; i++) {
            const x = query[q + i];
            const bias = head * k + i;
            const far = distance * k + i;
            dQuery[q + i] += dScore * (keys[key + i] + r.value[far]);
            dKeys[key + i] += dScore * (x + u.value[bias]);
            du[bias] += dScore * keys[key + i];
            dr[far] += dScore * x;
          }
        }
      }
    }
  }

  function clearGradients() {
    for (const sums of [du, dr, ds]) sums.fill(0);
  }

  function gradients() {
    u.gradient.set(du);
    r.gradient.set(dr);
    s.gradient.set(ds);
  }

  return { query, read, dQuery, dRead, weights, forward, back, clearGradients, gradients };
}
