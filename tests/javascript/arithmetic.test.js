// The loops of the live model beside the plainest ones, and the past that they go over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { range } from "../../feedback/widgets/base.numbers.js";
import { products, weightedRows } from "../../feedback/widgets/live_model.arithmetic.js";
import { createPast } from "../../feedback/widgets/live_model.past.js";

const numbers = (count) => Float32Array.from(range(0, count), (i) => ((7 * i) % 11) - 5);

test("products with any number of rows, which begin anywhere and lie any way apart", () => {
  for (const rows of range(0, 20)) {
    for (const [start, stride, columns] of [
      [0, 3, 3],
      [2, 5, 3],
      [7, 1, 1],
    ]) {
      const [matrix, x] = [numbers(start + 20 * stride + columns), numbers(columns)];
      const y = new Float32Array(rows + 1).fill(99);
      products(matrix, start, stride, x, y, rows);
      const expected = range(0, rows).map((row) => {
        const from = start + row * stride;
        return matrix.slice(from, from + columns).reduce((sum, one, i) => sum + one * x[i], 0);
      });
      assert.deepEqual([...y], [...expected, 99], `${rows} rows`);
    }
  }
});

test("rows are summed by their weights, of any width, and nothing beside them is touched", () => {
  for (const columns of range(1, 10)) {
    const matrix = numbers(3 + 20 * 2 + columns);
    for (const weights of [[], [2], [2, 10, -1]]) {
      const room = new Float32Array(columns + 5).fill(99);
      weightedRows(matrix, 3, 20, weights, room.subarray(0, columns));
      const expected = range(0, columns).map((column) =>
        weights.reduce((sum, weight, row) => sum + weight * matrix[3 + 20 * row + column], 0),
      );
      assert.deepEqual([...room.subarray(0, columns)], expected, `${columns} columns`);
      assert.deepEqual([...room.subarray(columns)], Array(5).fill(99));
    }
  }
});

test("the past holds the last keys and values in their order, for ever in the same room", () => {
  for (const kept of [1, 2, 5]) {
    const past = createPast(kept, 2);
    const rooms = [past.keys, past.values].map((each) => each.length);
    for (const step of range(0, 30)) {
      const [key, value] = past.next();
      key.set([step, -step]);
      value.set([100 + step, 0]);
      const expected = range(Math.max(0, step + 1 - kept), step + 1);
      assert.equal(past.length(), expected.length);
      const rows = (matrix) => expected.map((_, i) => matrix[past.start() + 2 * i]);
      assert.deepEqual(rows(past.keys), expected);
      assert.deepEqual(
        rows(past.values),
        expected.map((one) => 100 + one),
      );
    }
    assert.deepEqual(
      [past.keys, past.values].map((each) => each.length),
      rooms,
    );
  }
});
