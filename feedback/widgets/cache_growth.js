// What a model could keep of the text for generating the next token, in bytes (chapter 5).
//
// cache_growth.py says what is counted; the functions under "numbers" are those of that file.

const MOST = { tokens: 131072, layers: 128, width: 16384, batch: 256 };
const SYMBOLS = { tokens: "", layers: "L", width: "d", batch: "" };
// What could be kept, and how many vectors of width d that is a token.
const KINDS = [
  ["outputs", "all layer outputs", "(L + 1) · d", (L) => L + 1],
  ["sum", "weighted sum", "d", () => 1],
  ["shared", "shared keys and values", "2 · d", () => 2],
  ["every", "keys and values of every layer", "2 · d · L", (L) => 2 * L],
].map(([id, name, formula, vectors]) => ({ id, name, formula, vectors }));
const TYPES = [
  [8, "8 (float64)"],
  [4, "4 (float32)"],
  [2, "2 (float16, bfloat16)"],
  [1, "1 (int8)"],
];
const TRAITS = [...Object.keys(MOST), "bytes_per_number"];

export default widget(({ model, el }) => {
  const { node, show, stop } = buildPicture(model, el);
  el.replaceChildren(node);
  const offs = [onChange(model, TRAITS, show), stop];
  return () => offs.forEach((off) => off());
});

// ---- numbers ----

function keptBytes(kind, { tokens, layers, width, batch, bytes_per_number }) {
  return kind.vectors(layers) * batch * tokens * width * bytes_per_number;
}

// Bytes to three digits; each unit is 1,024 of the one before.
function readable(size) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let power = 0;
  while (size >= 1024 ** (power + 1)) power++;
  const value = size / 1024 ** power;
  const factor = value < 10 ? 100 : value < 100 ? 10 : 1;
  return `${grouped(Math.floor(value * factor + 0.5) / factor)}\u00a0${units[power]}`;
}

const grouped = (number) => number.toLocaleString("en");

// The end of an axis. With powers of four a doubling shows more often than the axis changes.
function ceiling(number, base = 4) {
  let end = 1;
  while (end < number) end *= base;
  return end;
}

// Where a slider stops: 1, 2, 3, 4, 6, 8, 12, 16, ...; from 2 on two steps double.
function stopsUpTo(most) {
  const stops = [1];
  for (let stop = 2; stop <= most; stop *= 2) stops.push(stop, 1.5 * stop);
  return stops.filter((stop) => stop <= most);
}

// ---- picture ----

function buildPicture(model, el) {
  const state = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const sizes = Object.keys(MOST).map((name) => sizeControl(name, (value) => set(name, value)));
  const bytes = menu("bytes a number", TYPES, model.get("bytes_per_number"), (value) =>
    set("bytes_per_number", Number(value)),
  );
  const bars = KINDS.map(buildBar);
  const ticks = element("span", { className: "ticks" });
  const scale = element("div", { className: "scale" }, ticks);
  const chart = element("div", { className: "chart" });
  const sentence = liveSentence(describe(state()));

  const node = frame(
    "cache-growth",
    "Bytes kept for generation",
    element("div", { className: "sizes" }, ...sizes.map((size) => size.node), bytes),
    ...bars.map((bar) => bar.node),
    scale,
    chart,
    sentence,
  );

  let pixels = 0;
  const show = guarded(el, () => {
    const now = state();
    sizes.forEach((size) => size.show(now[size.name]));
    bytes.select.value = now.bytes_per_number;
    const kept = KINDS.map((kind) => keptBytes(kind, now));
    const most = ceiling(Math.max(...kept));
    bars.forEach((bar, i) => bar.show(kept[i], most));
    const marks = [0, most / 2, most].map((size) => element("span", {}, readable(size)));
    ticks.replaceChildren(...marks);
    if (pixels) chart.replaceChildren(drawLines(now, pixels));
    sentence.say(describe(now));
  });
  const stop = onWidth(chart, (width) => {
    pixels = width;
    show();
  });
  show();
  return { node, show, stop };
}

// A slider, and beside it the number itself, to be read or typed.
function sizeControl(name, set) {
  const stops = stopsUpTo(MOST[name]);
  const range = slider(name, { max: stops.length - 1, step: 1 }, (i) => set(stops[i]));
  const exact = numberField({ min: 1, max: MOST[name], step: 1 });
  exact.ariaLabel = `${name}, exact`;
  let last = 1;
  // What is no size gives way to the nearest one, and to the last one if it is no number.
  const nearest = () => Math.min(MOST[name], Math.max(1, Math.round(Number(exact.value))));
  listen(exact, "input", () => {
    if (exact.value !== "" && exact.validity.valid) set(Number(exact.value));
  });
  listen(exact, "change", () => {
    if (exact.value !== "") set(nearest());
    exact.value = last;
  });
  const show = (value) => {
    last = value;
    if (Number(exact.value) !== value) exact.value = value;
    const distance = (stop) => Math.abs(Math.log(stop / value));
    const nearest = stops.reduce((best, stop) => (distance(stop) < distance(best) ? stop : best));
    range.value = stops.indexOf(nearest);
    range.ariaValueText = grouped(value);
  };
  const label = element("span", {}, name, SYMBOLS[name] && element("var", {}, ` ${SYMBOLS[name]}`));
  return { name, show, node: element("div", { className: "size" }, label, range, exact) };
}

function buildBar(kind) {
  const bar = element("span", { className: "fill" });
  const value = element("data", { className: "value" });
  const sample = drawing("svg", { class: "sample", viewBox: "0 0 28 14", "aria-hidden": "true" });
  sample.append(drawing("path", { class: "line", d: "M0 7H28" }), mark(kind, 14, 7));
  const formula = element("span", { className: "formula" }, element("var", {}, kind.formula));
  formula.append(" numbers a token");
  const words = element("span", {}, kind.name, formula);
  const name = element("span", { className: "name" }, sample, words);
  const track = element("span", { className: "track" }, bar);
  const node = element("div", { className: "bar", data: { kind: kind.id } }, name, track, value);
  const show = (size, most) => {
    bar.style.width = `${(100 * size) / most}%`;
    value.value = size;
    value.textContent = readable(size);
    value.title = `${grouped(size)} bytes`;
  };
  return { node, show };
}

// Each kind has a shape of its own beside its colour.
function mark({ id }, x, y) {
  const shapes = {
    outputs: "M-5 0L0 -6L5 0L0 6Z",
    sum: "M-5 4.5L0 -5L5 4.5Z",
    shared: "M-4.5 -4.5H4.5V4.5H-4.5Z",
    every: "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
  };
  return drawing("path", { class: "mark", d: shapes[id], transform: `translate(${x} ${y})` });
}

// Bytes over the length of the text, with the length that was chosen marked.
function drawLines(state, width) {
  const [left, right, top, bottom, height] = [68, 28, 14, 44, 230];
  const longest = ceiling(2 * state.tokens); // what comes next is in sight
  const at = (tokens) => KINDS.map((kind) => keptBytes(kind, { ...state, tokens }));
  const most = ceiling(Math.max(...at(longest)), 2);
  const x = (tokens) => left + ((width - left - right) * tokens) / longest;
  const y = (size) => height - bottom - ((height - top - bottom) * size) / most;
  const text = (className, x, y, words) => drawing("text", { class: className, x, y }, words);

  const parts = [0, 1, 2].flatMap((half) => {
    const [size, tokens] = [(most * half) / 2, (longest * half) / 2];
    return [
      drawing("path", { class: "rule", d: `M${left} ${y(size)}H${width - right}` }),
      text("tick beside", left - 8, y(size), readable(size)),
      text("tick below", x(tokens), y(0) + 16, grouped(tokens)),
    ];
  });
  parts.push(text("tick below", (left + width - right) / 2, height - 8, "tokens"));
  parts.push(drawing("path", { class: "chosen", d: `M${x(state.tokens)} ${y(0)}V${top}` }));
  const [now, last] = [at(state.tokens), at(longest)];
  KINDS.forEach((kind, i) => {
    const line = { class: "line", d: `M${x(0)} ${y(0)}L${x(longest)} ${y(last[i])}` };
    const point = mark(kind, x(state.tokens), y(now[i]));
    parts.push(drawing("g", { "data-kind": kind.id }, drawing("path", line), point));
  });
  const label =
    `Bytes kept against length: straight lines from 0, at ${grouped(longest)} tokens ` +
    KINDS.map((kind, i) => `${kind.name} ${readable(last[i])}`).join(", ");
  const view = { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label };
  return drawing("svg", view, ...parts);
}

// ---- words ----

function describe(state) {
  const { layers, bytes_per_number } = state;
  const sizes = Object.keys(MOST).map((name) => `${name} ${grouped(state[name])}`);
  const parts = KINDS.map((kind) => `${kind.name} ${readable(keptBytes(kind, state))}`);
  const times = layers > 1 ? `${layers} times` : "as much as";
  return (
    `With ${sizes.join(", ")} and numbers of ${bytes_per_number}\u00a0B: ` +
    `${parts.join(", ")}, ${times} the shared ones.`
  );
}
