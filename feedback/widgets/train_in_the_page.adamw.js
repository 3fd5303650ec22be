// AdamW, as PyTorch computes it: running means of the gradient and of its square decide each step,
// and weight decay shrinks the matrices, not the vectors.

const [BETA1, BETA2, EPS] = [0.9, 0.999, 1e-8];

// `settings` has rate, decay and clip: the largest L2 norm of the gradient of all parameters.
export function createAdamW({ values, gradients, named }, { rate, decay, clip }) {
  const [means, squares] = [0, 1].map(() => new Float32Array(values.length));
  let updates = 0;

  // Shortens the gradient to the norm `clip` if it is longer. Returns the norm that it had.
  function clipGradient() {
    let sum = 0;
    for (let i = 0; i < gradients.length; i++) sum += gradients[i] * gradients[i];
    const norm = Math.sqrt(sum);
    const factor = clip / (norm + 1e-6);
    if (factor < 1) for (let i = 0; i < gradients.length; i++) gradients[i] *= factor;
    return norm;
  }

  function update() {
    clipGradient();
    updates += 1;
    const size = rate / (1 - BETA1 ** updates);
    const root = Math.sqrt(1 - BETA2 ** updates);
    for (const { from, to, shape } of named.values()) {
      const kept = shape.length >= 2 ? 1 - rate * decay : 1;
      for (let i = from; i < to; i++) {
        const g = gradients[i];
        const mean = means[i] + (1 - BETA1) * (g - means[i]);
        const square = BETA2 * squares[i] + (1 - BETA2) * g * g;
        means[i] = mean;
        squares[i] = square;
        values[i] = values[i] * kept - (size * mean) / (Math.sqrt(square) / root + EPS);
      }
    }
  }

  return { update };
}
