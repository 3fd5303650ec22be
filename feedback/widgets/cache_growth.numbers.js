// What a model could keep of the text, in bytes: the same as in cache_growth.py.

import { grouped } from "./base.numbers.js";

export const MOST = { tokens: 131072, layers: 128, width: 16384, batch: 256 };

// What could be kept, and how many vectors of width d that is a token.
export const KINDS = [
  ["outputs", "all layer outputs", "(L + 1) · d", (L) => L + 1],
  ["sum", "weighted sum", "d", () => 1],
  ["shared", "shared keys and values", "2 · d", () => 2],
  ["every", "keys and values of every layer", "2 · d · L", (L) => 2 * L],
].map(([id, name, formula, vectors]) => ({ id, name, formula, vectors }));

export function keptBytes(kind, { tokens, layers, width, batch, bytes_per_number }) {
  return kind.vectors(layers) * batch * tokens * width * bytes_per_number;
}

// Bytes to three digits; each unit is 1,024 of the one before.
export function readable(size) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let power = 0;
  while (size >= 1024 ** (power + 1)) power++;
  const value = size / 1024 ** power;
  const factor = value < 10 ? 100 : value < 100 ? 10 : 1;
  return `${grouped(Math.floor(value * factor + 0.5) / factor)}\u00a0${units[power]}`;
}

// The end of an axis. With powers of four a doubling shows more often than the axis changes.
export function ceiling(number, base = 4) {
  let end = 1;
  while (end < number) end *= base;
  return end;
}

// Where a slider stops: 1, 2, 3, 4, 6, 8, 12, 16, ...; from 2 on two steps double.
export function stopsUpTo(most) {
  const stops = [1];
  for (let stop = 2; stop <= most; stop *= 2) stops.push(stop, 1.5 * stop);
  return stops.filter((stop) => stop <= most);
}

export function describe(state) {
  const { layers, bytes_per_number } = state;
  const sizes = Object.keys(MOST).map((name) => `${name} ${grouped(state[name])}`);
  const parts = KINDS.map((kind) => `${kind.name} ${readable(keptBytes(kind, state))}`);
  const times = layers > 1 ? `${layers} times` : "as much as";
  return (
    `With ${sizes.join(", ")} and numbers of ${bytes_per_number}\u00a0B: ` +
    `${parts.join(", ")}, ${times} the shared ones.`
  );
}
