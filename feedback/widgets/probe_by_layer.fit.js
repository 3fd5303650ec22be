// A linear probe: logistic regression of a class on vectors, as `fit_probe` in
// feedback/interpret/probes.py has it. N vectors of width d, C classes.

const PENALTY = 1e-3; // times the sum of squared weights, added to the mean loss
const ROUNDS = 200; // at most
const SMALL = 3e-5; // a gradient of this length is none

// Fits a probe to `vectors`, a Float32Array (N, d), and `labels`. The loss has one minimum; gradient
// steps with momentum (Nesterov) come close to it. A generator that pauses often; returns the
// probe: read(x) is the likeliest class of a vector, and its share.
export function* fitProbe(vectors, labels, d, classes) {
  const n = labels.length;
  const { x, mean, deviation } = standardised(vectors, n, d);
  yield;
  const width = d + 1; // with a column of ones for the bias
  const [now, ahead, gradient] = [0, 1, 2].map(() => new Float64Array(classes * width));
  const shares = new Float64Array(classes);
  const step = 1 / (largestCurvature(x, n, width) / 2 + 2 * PENALTY);
  yield;
  let momentum = 1;
  for (let round = 0; round < ROUNDS; round++) {
    gradient.fill(0);
    for (let row = 0; row < n; row++) {
      const at = row * width;
      softmaxOf(ahead, x, at, width, shares);
      shares[labels[row]] -= 1;
      for (let c = 0; c < classes; c++) {
        const by = shares[c] / n;
        for (let i = 0, g = c * width; i < width; i++) gradient[g + i] += by * x[at + i];
      }
    }
    let [squares, uphill] = [0, 0];
    const next = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const goOn = (momentum - 1) / next;
    momentum = next;
    for (let i = 0; i < gradient.length; i++) {
      if (i % width < d) gradient[i] += 2 * PENALTY * ahead[i];
      squares += gradient[i] * gradient[i];
      const moved = ahead[i] - step * gradient[i];
      uphill += gradient[i] * (moved - now[i]);
      ahead[i] = moved + goOn * (moved - now[i]);
      now[i] = moved;
    }
    if (uphill > 0) momentum = 1; // it has swung too far
    if (squares < SMALL * SMALL) break;
    yield;
  }

  const row = new Float32Array(width).fill(1);
  return {
    read(vector) {
      for (let i = 0; i < d; i++) row[i] = (vector[i] - mean[i]) / deviation[i];
      softmaxOf(now, row, 0, width, shares);
      const state = shares.indexOf(Math.max(...shares));
      return { state, share: shares[state] };
    },
  };
}

// Each feature with mean 0 and deviation 1, and a last column of ones.
function standardised(vectors, n, d) {
  const [mean, deviation] = [0, 1].map(() => new Float64Array(d));
  const x = new Float32Array(n * (d + 1)).fill(1);
  for (let i = 0; i < d; i++) {
    for (let row = 0; row < n; row++) mean[i] += vectors[row * d + i] / n;
    for (let row = 0; row < n; row++) deviation[i] += (vectors[row * d + i] - mean[i]) ** 2;
    deviation[i] = Math.max(1e-9, Math.sqrt(deviation[i] / (n - 1)));
    for (let row = 0; row < n; row++) {
      x[row * (d + 1) + i] = (vectors[row * d + i] - mean[i]) / deviation[i];
    }
  }
  return { x, mean, deviation };
}

function softmaxOf(weights, x, at, width, shares) {
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < shares.length; c++) {
    let sum = 0;
    for (let i = 0, w = c * width; i < width; i++) sum += weights[w + i] * x[at + i];
    shares[c] = sum;
    if (sum > largest) largest = sum;
  }
  let total = 0;
  for (let c = 0; c < shares.length; c++) total += shares[c] = Math.exp(shares[c] - largest);
  for (let c = 0; c < shares.length; c++) shares[c] /= total;
}

// The largest eigenvalue of XᵀX / N, from above: by powers, and a little more.
function largestCurvature(x, n, width) {
  let v = new Float64Array(width).fill(1 / Math.sqrt(width));
  let size = 0;
  for (let round = 0; round < 12; round++) {
    const next = new Float64Array(width);
    for (let row = 0; row < n; row++) {
      const at = row * width;
      let along = 0;
      for (let i = 0; i < width; i++) along += x[at + i] * v[i];
      for (let i = 0; i < width; i++) next[i] += (along * x[at + i]) / n;
    }
    size = Math.hypot(...next);
    v = next.map((value) => value / size);
  }
  return 1.1 * size;
}
