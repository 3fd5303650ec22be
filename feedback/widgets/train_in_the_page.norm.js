// Layer norm: each row less its mean, over its standard deviation, times a gain, plus a bias.

import { sumRows } from "./train_in_the_page.matrices.js";

const EPS = 1e-5; // as PyTorch has it

// A norm of rows of width d, with room for `rows` of them; `parameters` has NAME.weight, NAME.bias.
// `out` is its result, (rows, d), and `dOut` where the gradient of that is to be put.
export function createNorm(parameters, name, d, rows) {
  const [gain, bias] = ["weight", "bias"].map((part) => parameters.get(`${name}.${part}`));
  const [out, unit, dOut] = [0, 1, 2].map(() => new Float32Array(rows * d));
  const scale = new Float32Array(rows);

  function forward(x, from, to) {
    for (let row = from; row < to; row++) {
      const at = row * d;
      let sum = 0;
      for (let i = 0; i < d; i++) sum += x[at + i];
      const mean = sum / d;
      let squares = 0;
      for (let i = 0; i < d; i++) squares += (x[at + i] - mean) ** 2;
      scale[row] = 1 / Math.sqrt(squares / d + EPS);
      for (let i = 0; i < d; i++) {
        unit[at + i] = (x[at + i] - mean) * scale[row];
        out[at + i] = unit[at + i] * gain.value[i] + bias.value[i];
      }
    }
  }

  // dx = base + the gradient of x: of g = gain ⊙ dOut, what is neither their mean nor along `unit`.
  function back(dx, base, from, to) {
    for (let row = from; row < to; row++) {
      const at = row * d;
      let [sum, along] = [0, 0];
      for (let i = 0; i < d; i++) {
        const g = dOut[at + i] * gain.value[i];
        sum += g;
        along += g * unit[at + i];
      }
      for (let i = 0; i < d; i++) {
        const g = dOut[at + i] * gain.value[i] - (sum + along * unit[at + i]) / d;
        dx[at + i] = (base ? base[at + i] : 0) + g * scale[row];
      }
    }
  }

  function gradients(from, to) {
    sumRows(gain.gradient, dOut, from, to, unit);
    sumRows(bias.gradient, dOut, from, to);
  }

  return { out, dOut, forward, back, gradients };
}
