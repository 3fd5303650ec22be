// The loops that the live model spends its time in. Numbers lie in Float32Arrays, a matrix row after
// row. What a loop computes goes into an array that is given, for to make one takes time as well.

// y[i] = x · row i of a matrix whose first row begins at `start`, and each other `stride` further.
//
// Each addition to a sum has to wait for the one before. Eight rows have eight sums, which do not wait
// for one another: that is more than twice as quick.
export function products(matrix, start, stride, x, y, rows = y.length) {
  const columns = x.length;
  let row = 0;
  let begin = start;
  for (; row + 8 <= rows; row += 8, begin += 8 * stride) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    let sum4 = 0;
    let sum5 = 0;
    let sum6 = 0;
    let sum7 = 0;
    for (let column = 0; column < columns; column++) {
      const value = x[column];
      let at = begin + column;
      sum0 += matrix[at] * value;
      at += stride;
      sum1 += matrix[at] * value;
      at += stride;
      sum2 += matrix[at] * value;
      at += stride;
      sum3 += matrix[at] * value;
      at += stride;
      sum4 += matrix[at] * value;
      at += stride;
      sum5 += matrix[at] * value;
      at += stride;
      sum6 += matrix[at] * value;
      at += stride;
      sum7 += matrix[at] * value;
    }
    y[row] = sum0;
    y[row + 1] = sum1;
    y[row + 2] = sum2;
    y[row + 3] = sum3;
    y[row + 4] = sum4;
    y[row + 5] = sum5;
    y[row + 6] = sum6;
    y[row + 7] = sum7;
  }
  for (; row < rows; row++, begin += stride) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += matrix[begin + column] * x[column];
    y[row] = sum;
  }
}

// y = sum of weights[i] * row i, of the same matrix. Four sums here too; those beyond the end of y are
// in vain, for to write there does nothing.
export function weightedRows(matrix, start, stride, weights, y) {
  for (let column = 0; column < y.length; column += 4) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let row = 0, at = start + column; row < weights.length; row++, at += stride) {
      const weight = weights[row];
      sum0 += weight * matrix[at];
      sum1 += weight * matrix[at + 1];
      sum2 += weight * matrix[at + 2];
      sum3 += weight * matrix[at + 3];
    }
    y[column] = sum0;
    y[column + 1] = sum1;
    y[column + 2] = sum2;
    y[column + 3] = sum3;
  }
}

// x += y
export function add(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
}

// y = the layer norm of x.
export function normalise(x, gain, bias, eps, y) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i];
  const mean = sum / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i] - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / x.length + eps);
  for (let i = 0; i < x.length; i++) y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
}

export function relu(x) {
  for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
}

// A new array: the softmax of scores / temperature.
export function softmax(scores, temperature = 1) {
  let largest = -Infinity;
  for (let i = 0; i < scores.length; i++) if (scores[i] > largest) largest = scores[i];
  const shares = new Float64Array(scores.length);
  let total = 0;
  for (let i = 0; i < scores.length; i++) {
    total += shares[i] = Math.exp((scores[i] - largest) / temperature);
  }
  for (let i = 0; i < scores.length; i++) shares[i] /= total;
  return shares;
}

// The length of a vector.
export function norm(x) {
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += x[i] ** 2;
  return Math.sqrt(squares);
}

// A new vector: m = sum_l weights[l] * outputs[l]
export function mix(outputs, weights) {
  const m = new Float32Array(outputs[0].length);
  for (let i = 0; i < m.length; i++) {
    let sum = 0;
    for (let l = 0; l < outputs.length; l++) sum += weights[l] * outputs[l][i];
    m[i] = sum;
  }
  return m;
}
