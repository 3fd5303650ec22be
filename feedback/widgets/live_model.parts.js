// The parts of the picture of a model that writes. Each is built once and then brought up to date:
// `show` is given the tokens, the place that is looked at, and the record of what was computed there.

const LONGEST = 1000; // characters of a prompt that is typed
const BARS = 10; // characters of which it is shown how likely they come next
const BLOCK = [1000, 4000]; // characters of a block of text: it ends with a line, if it can
const SAID = 20; // characters that the sentence repeats
const RECENT = 48; // memory vectors of which it is shown how much the heads take from them
const SPEEDS = [["4", "4 a second"], ["20", "20 a second"], ["Infinity", "as fast as it can"]];

function buildView(model, alphabet, actions) {
  const parts = [
    promptPart(model, alphabet, actions),
    controlsPart(model, alphabet, actions),
    textPart(model, alphabet, actions),
    layersPart(model, actions),
    attentionPart(model, alphabet, actions),
    nextPart(model, alphabet),
  ];
  if (model.get("held_text")) parts.push(lossPart(model, alphabet));
  const [prompt, controls, text, layers, attention, ...rest] = parts.map(({ node }) => node);
  const two = element("div", { className: "two" }, ...rest);
  const nodes = [prompt, controls, text, layers, attention, two];
  return {
    picture: frame("live-model", "A trained model that writes in this page", ...nodes),
    show: (now) => parts.forEach((part) => part.show?.(now)),
    showSettings: () => parts.forEach((part) => part.showSettings?.()),
    animate: parts[3].animate,
  };
}

function part(title, ...children) {
  return element("div", { className: "part", role: "group", ariaLabel: title }, ...children);
}

const titleOf = (...text) => element("span", { className: "title" }, ...text);
const note = (text = "") => element("p", { className: "note", textContent: text });

// ---- characters ----

function alphabet(text) {
  const characters = Array.from(text);
  const tokens = new Map(characters.map((character, token) => [character, token]));
  return {
    characters,
    encode: (text) => Array.from(text, (character) => tokens.get(character)),
    decode: (tokens) => tokens.map((token) => characters[token]).join(""),
  };
}

const visible = (character) => ({ "\n": "\u21b5", " ": "\u2423" })[character] ?? character;
const quoted = (text) => `\u201c${text.replaceAll("\n", "\u21b5")}\u201d`;

// ---- settings ----

function promptPart(model, { characters, encode }, { set }) {
  const input = keepKeys(element("textarea", { rows: 2, spellcheck: false, autocomplete: "off" }));
  const refusal = element("p", { className: "refusal", role: "alert" });
  // Why the model cannot read a text; "" if it can.
  const problem = (text) => {
    const letters = Array.from(text);
    if (letters.length === 0) return "The model needs at least one character.";
    if (letters.length > LONGEST) {
      return `A prompt may have ${LONGEST} characters here, and this one has ${letters.length}.`;
    }
    const tokens = encode(text);
    const bad = letters.find((_, i) => tokens[i] === undefined);
    if (bad === undefined) return "";
    return `The model does not know ${quoted(bad)}. It knows ${characters.map(visible).join("")}`;
  };
  listen(input, "input", () => {
    refusal.textContent = problem(input.value);
    input.ariaInvalid = String(refusal.textContent !== "");
    if (refusal.textContent === "") set("prompt", input.value);
  });
  const label = element("label", { className: "prompt" }, "Prompt ", input);
  return {
    node: element("div", {}, label, refusal),
    showSettings() {
      // Typing that was refused stays until it can be read.
      if (input.ariaInvalid !== "true" && input.value !== model.get("prompt")) {
        input.value = model.get("prompt");
      }
    },
  };
}

function controlsPart(model, { characters }, { set, step, togglePlay, startAgain, setSpeed }) {
  const play = button("Play", togglePlay);
  const buttons = [button("Step", step), play, button("Start again", startAgain)];
  const speed = menu("Speed", SPEEDS, "20", setSpeed);

  const highest = Math.max(2, model.get("temperature"));
  const temperature = slider("Temperature", { max: highest, step: 0.1 }, (value) =>
    set("temperature", value),
  );
  const degrees = element("output");
  const few = [1, 2, 3, 5, 10, 20, model.get("top_k")].filter((k) => k && k <= characters.length);
  const counts = [...new Set(few)].sort((a, b) => a - b).map((k) => [String(k), String(k)]);
  const topK = menu("Top-k", [["", "all"], ...counts], "", (value) =>
    set("top_k", value === "" ? null : Number(value)),
  );
  const seed = numberField({ min: 0, max: 2 ** 32 - 1, step: 1 });
  listen(seed, "input", () => {
    if (seed.value !== "" && seed.validity.valid) set("seed", Number(seed.value));
  });
  listen(seed, "change", () => (seed.value = model.get("seed"))); // what is no seed gives way
  const settings = [
    element("label", { className: "control" }, "Temperature ", temperature, degrees),
    topK,
    element("label", { className: "control" }, "Seed ", seed),
  ];
  return {
    node: element(
      "div",
      {},
      element("div", { className: "controls" }, ...buttons, speed),
      element("div", { className: "controls" }, ...settings),
    ),
    show({ playing }) {
      play.textContent = playing ? "Pause" : "Play";
    },
    showSettings() {
      temperature.value = model.get("temperature");
      degrees.value = model.get("temperature").toFixed(1);
      topK.select.value = String(model.get("top_k") ?? "");
      if (Number(seed.value) !== model.get("seed") || seed.value === "") seed.value = model.get("seed");
    },
  };
}

// ---- text ----

function textPart(model, { characters, decode }, { lookAt }) {
  // Prompt and continuation before the marked character, that character, and both after it.
  const pieces = ["b", "span", "mark", "b", "span"].map((tag) => element(tag));
  const tail = element("div", {}, ...pieces);
  const box = element("pre", { className: "text", tabIndex: 0, role: "group" }, tail);
  box.ariaLabel = "The text so far";
  // Where a block had to end within a line, the copy goes on.
  listen(box, "copy", (event) => {
    const range = getSelection().getRangeAt(0);
    if (!box.contains(range.commonAncestorContainer)) return;
    event.clipboardData.setData("text/plain", String(range));
    event.preventDefault();
  });
  const chosen = slider("Character to look at", { step: 1 }, lookAt);
  const which = element("output");
  const place = element("div", { className: "place" }, which, chosen);
  const sentence = liveSentence("The model reads its prompt.", 600); // silent while it plays

  // What can no longer be looked at is put into blocks that stay as they are: a browser lays a block
  // out as a whole, so in one block each character would take longer than the last.
  let written;
  let settled;
  const settle = ({ tokens, first, prompt }) => {
    if (tokens !== written) {
      box.replaceChildren(tail);
      [written, settled] = [tokens, 0];
    }
    let end;
    while ((end = endOfBlock(tokens, settled, first))) {
      const cut = Math.min(Math.max(settled, prompt), end);
      const own = element("b", { textContent: decode(tokens.slice(settled, cut)) });
      tail.before(element("div", {}, own, decode(tokens.slice(cut, end))));
      settled = end;
    }
  };
  const newLine = characters.indexOf("\n");
  const endOfBlock = (tokens, start, limit) => {
    for (let end = start + BLOCK[0]; end <= limit; end++) {
      if (tokens[end - 1] === newLine || end === start + BLOCK[1]) return end;
    }
  };

  return {
    node: element("div", {}, box, place, sentence),
    show(now) {
      const { tokens, first, place, prompt, record, busy, loss } = now;
      settle(now);
      box.toggleAttribute("data-old", busy);
      const ends = [Math.max(settled, Math.min(place, prompt)), place, place + 1];
      const cuts = [settled, ...ends, Math.max(place + 1, prompt), tokens.length];
      pieces.forEach((piece, i) => setText(piece, decode(tokens.slice(cuts[i], cuts[i + 1]))));
      if (pieces[2].textContent === "\n") pieces[2].textContent = "\u21b5\n";
      const last = tokens.length - 1;
      if (place === last) box.scrollTop = box.scrollHeight;
      Object.assign(chosen, { min: first, max: last, value: place });
      const name = quoted(visible(decode([tokens[place]])));
      which.value = `Character ${place + 1} of ${tokens.length}: ${name}`;
      chosen.ariaValueText = which.value;
      const before = decode(tokens.slice(Math.max(0, place + 1 - SAID), place + 1));
      if (!busy) sentence.say(describe(before, record, decode, loss));
    },
  };
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The same words as LiveModel.describe in Python.
function describe(text, { logits }, decode, loss) {
  const best = distribution(logits, { temperature: 1 }).slice(0, 3);
  const likeliest = best.map(([token, share]) => `${quoted(decode([token]))} ${percent(share)}\u00a0%`);
  const which = `After ${quoted(text)}, the likeliest next characters before temperature and top-k:`;
  const sentence = `${which} ${likeliest.join(", ")}.`;
  if (!loss.now?.length) return sentence;
  return `${sentence} Loss on the held text: ${mean(loss.now).toFixed(2)} nats a character.`;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// ---- layers and memory ----

function layersPart(model, { set }) {
  const learned = model.get("learned");
  const names = learned.map((_, l) => (l === 0 ? "embedding" : `layer ${l}`));
  const only = (l) => learned.map((_, i) => (i === l ? 1 : 0));
  const presets = [
    ["Learned", learned],
    ["Equal", learned.map(() => 1 / learned.length)],
    ["Last layer", only(learned.length - 1)],
    ["Embedding", only(0)],
  ].map(([name, weights]) => [button(name, () => set("layer_weights", weights)), weights]);

  const sliders = names.map((name, l) =>
    slider(`weight of ${name}`, {}, (value) =>
      set("layer_weights", withWeight(model.get("layer_weights"), l, value)),
    ),
  );
  const numbers = names.map(() => element("data", { className: "weight" }));
  const strips = [...names, "memory"].map(() => element("div", { className: "strip", role: "img" }));
  const nameOf = (text) => element("span", { className: "name", textContent: text });
  const lines = names.map((name, l) => {
    const cells = [nameOf(name), sliders[l], numbers[l], strips[l]];
    return element("div", { className: "line" }, ...cells);
  });
  const scale = note();
  lines.push(element("div", { className: "line memory" }, nameOf("memory"), scale, strips.at(-1)));

  const title = "Layers, and the memory they make";
  const buttons = presets.map(([button]) => button);
  return {
    node: part(title, element("div", { className: "controls" }, titleOf(title), ...buttons), ...lines),
    show({ record }) {
      const rows = [...record.outputs, record.memory];
      // A few features are far larger than all others; they must not make those pale.
      const full = 3 * Math.sqrt(mean(rows.map((row) => mean(row.map((value) => value * value)))));
      rows.forEach((row, i) => paint(strips[i], row, full, names[i] ?? "memory"));
      setText(scale, `blue: up to ${short(-full, 2)}, orange: up to ${short(full, 2)}`);
    },
    showSettings() {
      const weights = model.get("layer_weights");
      weights.forEach((weight, l) => {
        sliders[l].value = weight;
        sliders[l].ariaValueText = `${percent(weight)} percent`;
        numbers[l].value = weight;
        numbers[l].textContent = weight.toFixed(3);
      });
      for (const [button, preset] of presets) {
        const same = preset.every((weight, l) => Math.abs(weight - weights[l]) < 1e-6);
        button.ariaPressed = String(same);
      }
    },
    // From the embedding up, as they are computed.
    animate() {
      if (reducedMotion()) return;
      strips.forEach((strip, i) => {
        const timing = { duration: 150, delay: 100 * i, fill: "backwards" };
        strip.animate([{ opacity: 0 }, { opacity: 1 }], timing);
      });
    },
  };
}

// One background for all features: many cells would take longer to draw than the model to run. The
// colours are names, so they follow light and dark by themselves.
function paint(strip, values, full, label) {
  const stops = Array.from(values, (value, i) => {
    const color = `var(--${value < 0 ? "negative" : "positive"})`;
    const share = Math.round(Math.min(100, (100 * Math.abs(value)) / full));
    const [from, to] = [i, i + 1].map((edge) => `${((100 * edge) / values.length).toFixed(2)}%`);
    return `color-mix(in oklab, ${color} ${share}%, var(--neutral)) ${from} ${to}`;
  });
  strip.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const [lowest, highest] = [Math.min(...values), Math.max(...values)].map((value) => short(value, 3));
  strip.ariaLabel = `${label}: ${values.length} features, from ${lowest} to ${highest}`;
}

// ---- where the heads look ----

function attentionPart(model, { decode }, { redraw }) {
  const { heads, layers, memory: kept } = model.get("config");
  const options = Array.from({ length: layers }, (_, l) => [String(l), `layer ${l + 1}`]);
  const layer = menu("Where the heads look, in", options, String(layers - 1), redraw);
  layer.classList.add("title");
  const cellsOf = (count) => Array.from({ length: count }, () => element("span"));
  const rows = Array.from({ length: heads }, (_, head) => {
    const cells = cellsOf(RECENT);
    const row = element("div", { className: "cells", role: "img" }, ...cells, element("span"));
    row.lastChild.dataset.empty = "";
    const most = element("span", { className: "most" });
    const name = element("span", { textContent: `head ${head + 1}` });
    return { cells, row, most, node: element("div", { className: "head" }, name, row, most) };
  });
  const letters = cellsOf(RECENT + 1);
  const axis = element("div", { className: "cells axis", ariaHidden: "true" }, ...letters);
  const below = element("div", { className: "head" }, element("span"), axis, element("span"));
  const count = note();
  const top = element("div", { className: "controls" }, layer);
  return {
    node: part("Where the heads look", top, ...rows.map(({ node }) => node), below, count),
    show({ tokens, place, record }) {
      const attention = record.attention[Number(layer.select.value)];
      const n = attention[0].length; // memory vectors, those of the n characters before this one
      const largest = Math.max(...attention.flat());
      letters.forEach((cell, i) => {
        const token = tokens[place - RECENT + i];
        setText(cell, token === undefined ? "" : visible(decode([token])));
      });
      attention.forEach((shares, head) => {
        const { cells, row, most } = rows[head];
        cells.forEach((cell, i) => {
          const share = shares[n - RECENT + i];
          cell.toggleAttribute("data-empty", share === undefined);
          cell.style.setProperty("--share", `${((100 * (share ?? 0)) / largest).toFixed(1)}%`);
        });
        const best = shares.indexOf(Math.max(...shares));
        const character = n > 0 && quoted(visible(decode([tokens[place - n + best]])));
        setText(most, n > 0 ? `${percent(shares[best])}\u00a0% ${character}, ${n - best} back` : "nothing yet");
        row.ariaLabel = `head ${head + 1} of ${layer.select.selectedOptions[0].text}: at most ${most.textContent}`;
      });
      const darkest = n > 0 ? ` The darkest cell is ${percent(largest)}\u00a0%.` : "";
      const held = `The memory holds ${n} vectors; it keeps the last ${kept}.`;
      setText(count, `${held}${darkest} On the right, the character that looks.`);
    },
  };
}

// ---- what comes next ----

function barOf(className = "bar") {
  const [label, track, number] = ["label", "track", "percent"].map((name) =>
    element("span", { className: name }),
  );
  return { label, track, number, node: element("div", { className }, label, track, number) };
}

function nextPart(model, { characters, decode }) {
  const bars = Array.from({ length: Math.min(BARS, characters.length) }, () => barOf());
  const title = "What may come next";
  const legend = note("Bar: what is drawn from. Line: what the model says, before temperature and top-k.");
  return {
    node: part(title, titleOf(title), ...bars.map(({ node }) => node), legend),
    show({ tokens, place, record }) {
      const settings = { temperature: model.get("temperature"), topK: model.get("top_k") };
      const choices = distribution(record.logits, settings);
      bars.forEach(({ label, track, number, node }, i) => {
        const [token, share, own] = choices[i];
        const drawn = tokens[place + 1] === token;
        setText(label, visible(decode([token])));
        setText(number, `${percent(share)}\u00a0%`);
        track.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
        track.style.setProperty("--own", `${(100 * own).toFixed(1)}%`);
        node.toggleAttribute("data-drawn", drawn);
        node.title = drawn ? "this one came next" : "";
      });
    },
  };
}

function lossPart(model, { characters }) {
  const text = Array.from(model.get("held_text"));
  const [learned, now] = ["learned weights", "these weights"].map((name) => {
    const bar = barOf("bar loss");
    bar.label.textContent = name;
    return bar;
  });
  const letters = text.map((character) => element("span", { textContent: character }));
  const title = "Loss on a held text";
  const guessing = Math.log(characters.length);
  const legend = note(
    "The stronger its shade, the less a character was expected. " +
      `A full bar is as bad as guessing, ${guessing.toFixed(2)} nats.`,
  );
  const held = element("p", { className: "held" }, ...letters);
  let drawn;
  return {
    node: part(title, titleOf(title), learned.node, now.node, held, legend),
    show({ loss }) {
      if (!loss.now || loss.now === drawn) return;
      drawn = loss.now;
      for (const [bar, found] of [[learned, loss.learned], [now, loss.now]]) {
        setText(bar.number, `${mean(found).toFixed(2)} nats`);
        const share = Math.min(1, mean(found) / guessing);
        bar.track.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
      }
      loss.now.forEach((value, i) => {
        letters[i + 1].style.setProperty("--share", `${Math.min(45, 9 * value).toFixed(0)}%`);
      });
    },
  };
}
