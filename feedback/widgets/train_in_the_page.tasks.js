// What is learned: following a state that every token may change, or the next character of a text.
// Batches are laid out step after step: place t size + b is step t of row b.

// The product of the permutations of n things read so far, as in feedback/tasks.py: tokens are the
// permutations in lexicographic order, and a label is the permutation that all so far make together;
// `after` says which one a state becomes by a token.
function composition(n) {
  const permutations = ordersOf(Array.from({ length: n }, (_, i) => i));
  const words = permutations.map((order) => order.join(""));
  const count = words.length;
  const product = new Int32Array(count * count); // first a, then b
  permutations.forEach((a, i) =>
    permutations.forEach((b, j) => {
      product[i * count + j] = words.indexOf(a.map((x) => b[x]).join(""));
    }),
  );
  const after = (state, token) => product[state * count + token];
  function fill({ inputs, labels, size, length }, random) {
    for (let b = 0; b < size; b++) {
      let state = 0;
      for (let t = 0; t < length; t++) {
        const [at, token] = [t * size + b, Math.floor(random() * count)];
        state = after(state, token);
        inputs[at] = token;
        labels[at] = state;
      }
    }
  }
  return { tokens: count, words, longest: Number.POSITIVE_INFINITY, fill, after };
}

function ordersOf(things) {
  if (things.length === 0) return [[]];
  return things.flatMap((first) =>
    ordersOf(things.filter((thing) => thing !== first)).map((rest) => [first, ...rest]),
  );
}

// Windows of a text, drawn at random; the label of a character is the one behind it.
function nextCharacter(text) {
  const characters = Array.from(text);
  const words = [...new Set(characters)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
  const tokens = new Map(words.map((word, token) => [word, token]));
  const all = Int32Array.from(characters, (character) => tokens.get(character));
  function fill({ inputs, labels, size, length }, random) {
    for (let b = 0; b < size; b++) {
      const from = Math.floor(random() * (all.length - length));
      for (let t = 0; t < length; t++) {
        inputs[t * size + b] = all[from + t];
        labels[t * size + b] = all[from + t + 1];
      }
    }
  }
  return { tokens: words.length, words, longest: all.length, fill };
}

// `task` is "parity", "s3" or "text". Its fill(batch, random) draws a batch's inputs and labels, of
// rows shorter than `longest`.
export function createTask(task, text) {
  return task === "text" ? nextCharacter(text) : composition({ parity: 2, s3: 3 }[task]);
}

// A batch with room for so many rows of so many steps; `size` and `length` say what is in use.
export function createBatch(rows, steps) {
  const [inputs, labels] = [0, 1].map(() => new Int32Array(rows * steps));
  return { inputs, labels, size: rows, length: steps };
}

// The mean loss of who knows no more than how often each character comes in a text, in nats.
export function lossOfFrequencies(text) {
  const counts = new Map();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  const total = Array.from(text).length;
  return [...counts.values()].reduce((sum, n) => sum - (n / total) * Math.log(n / total), 0);
}
