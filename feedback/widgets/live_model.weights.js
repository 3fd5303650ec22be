// The weights of the live model, from the bytes that feedback/widgets/quantised.py packed.

// The tensors by name, as float32.
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
