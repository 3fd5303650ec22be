// The keys and values of the last memory vectors: at most `kept`, each of width d.
//
// They lie row after row, the oldest first, so that a loop can go over them as over a matrix. There is
// room for twice as many: once in `kept` steps those that are kept move to the front, and no step
// takes longer because many went before.

export function createPast(kept, d) {
  const keys = new Float32Array(2 * kept * d);
  const values = new Float32Array(2 * kept * d);
  let end = 0; // in rows
  let length = 0;
  return {
    keys,
    values,
    length: () => length, // memory vectors that are there
    start: () => (end - length) * d, // where the first of them begins, in both arrays
    // Room for one more key and value, the oldest giving way.
    next() {
      if (end === 2 * kept) {
        for (const rows of [keys, values]) rows.copyWithin(0, kept * d);
        end = kept;
      }
      const [from, to] = [end * d, (end + 1) * d];
      end++;
      length = Math.min(length + 1, kept);
      return [keys.subarray(from, to), values.subarray(from, to)];
    },
  };
}
