// Products of matrices, of which all training consists but for a little. A matrix is a Float32Array,
// row after row; sums are kept in double precision until they are whole.
//
// There is one product, of rows with rows, in which everything lies in memory as it is read. What a
// linear map needs besides, the way back and the gradient of its weights, turns a matrix first.

// C = A Bᵀ, or C + A Bᵀ with `adds`; each number of C is a row of A times a row of B, plus a bias.
// A (n, k), which begins at row `aRow` of its array, B (m, k) and C (n, m), from row `cRow` on.
export function multiply(c, cRow, a, aRow, b, n, m, k, bias, adds) {
  const [evenRows, fours] = [n - (n % 2), m - (m % 4)];
  for (let i = 0; i < evenRows; i += 2) {
    const [a0, c0] = [(aRow + i) * k, (cRow + i) * m];
    for (let j = 0; j < fours; j += 4) twoByFour(c, c0 + j, m, a, a0, b, j * k, k, bias, j, adds);
  }
  for (let i = 0; i < n; i++) {
    for (let j = i < evenRows ? fours : 0; j < m; j++) {
      const [from, at] = [(aRow + i) * k, (cRow + i) * m + j];
      let sum = bias ? bias[j] : 0;
      for (let t = 0; t < k; t++) sum += a[from + t] * b[j * k + t];
      c[at] = adds ? c[at] + sum : sum;
    }
  }
}

// Two rows of A with four of B: each number that is read serves in two or four products.
function twoByFour(c, at, m, a, a0, b, b0, k, bias, j, adds) {
  const a1 = a0 + k;
  const b1 = b0 + k;
  const b2 = b1 + k;
  const b3 = b2 + k;
  let s00 = bias ? bias[j] : 0;
  let s01 = bias ? bias[j + 1] : 0;
  let s02 = bias ? bias[j + 2] : 0;
  let s03 = bias ? bias[j + 3] : 0;
  let s10 = s00;
  let s11 = s01;
  let s12 = s02;
  let s13 = s03;
  for (let t = 0; t < k; t++) {
    const x = a[a0 + t];
    const y = a[a1 + t];
    const w0 = b[b0 + t];
    const w1 = b[b1 + t];
    const w2 = b[b2 + t];
    const w3 = b[b3 + t];
    s00 += x * w0;
    s01 += x * w1;
    s02 += x * w2;
    s03 += x * w3;
    s10 += y * w0;
    s11 += y * w1;
    s12 += y * w2;
    s13 += y * w3;
  }
  const below = at + m;
  if (adds) {
    s00 += c[at];
    s01 += c[at + 1];
    s02 += c[at + 2];
    s03 += c[at + 3];
    s10 += c[below];
    s11 += c[below + 1];
    s12 += c[below + 2];
    s13 += c[below + 3];
  }
  c[at] = s00;
  c[at + 1] = s01;
  c[at + 2] = s02;
  c[at + 3] = s03;
  c[below] = s10;
  c[below + 1] = s11;
  c[below + 2] = s12;
  c[below + 3] = s13;
}

// The rows from..to of a matrix as columns: (rows, width) -> (width, to - from).
export function turn(out, matrix, width, from, to) {
  const n = to - from;
  for (let i = 0; i < n; i++) {
    for (let j = 0, at = (from + i) * width; j < width; j++) out[j * n + i] = matrix[at + j];
  }
}

// y = W x + b in the rows from..to of x and y; W is a parameter, and the bias may be missing.
export function linear(y, x, weight, bias, from, to, adds = false) {
  const { value, rows, columns } = weight;
  multiply(y, from, x, from, value, to - from, rows, columns, bias?.value, adds);
}

// x̄ = Wᵀ ȳ in the rows from..to, from the gradient ȳ of what the map gave to that of what it took.
export function linearBack(dx, dy, weight, from, to, adds = false) {
  multiply(dx, from, dy, from, weight.turned, to - from, weight.columns, weight.rows, null, adds);
}

// Gradients of a linear map's weights, over the rows from..to: W̄ = Σ ȳ xᵀ and b̄ = Σ ȳ. `room` has
// two arrays, each with space for the turned rows.
export function linearGradients(room, dy, x, weight, bias, from, to) {
  const { gradient, rows, columns } = weight;
  const [left, right] = room;
  turn(left, dy, rows, from, to);
  turn(right, x, columns, from, to);
  multiply(gradient, 0, left, 0, right, rows, columns, to - from, null, false);
  if (bias) sumRows(bias.gradient, dy, from, to);
}

// The sum of the rows from..to, as wide as `out`; of each row times one of `factors`, if given.
export function sumRows(out, matrix, from, to, factors) {
  const width = out.length;
  for (let j = 0; j < width; j++) {
    let sum = 0;
    for (let at = from * width + j; at < to * width; at += width) {
      sum += factors ? matrix[at] * factors[at] : matrix[at];
    }
    out[j] = sum;
  }
}
