// Numbers, and how they are written.

export const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// As `percent` in base.py.
export const percent = (share) => Math.floor(100 * share + 0.5);

export const grouped = (value) => value.toLocaleString("en");
export const withMinus = (text) => text.replace("-", "\u2212");
export const short = (value, digits = 4) => withMinus(String(Number(value.toPrecision(digits))));

// Sets one weight and scales the others in proportion, so that all still sum to 1.
export function withWeight(weights, index, value) {
  const others = weights.reduce((sum, weight, l) => (l === index ? sum : sum + weight), 0);
  return weights.map((weight, l) => {
    if (l === index) return value;
    return others > 0 ? (weight / others) * (1 - value) : (1 - value) / (weights.length - 1);
  });
}
