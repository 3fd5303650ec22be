// Where each head looks in the memory, step by step, beside a parallel model (chapter 5).
//
// For a text of T tokens, weight t, j of a head says how much step t reads of step j <= t, in a
// feedback model j < t. memory_attention.py says how the weights are packed.

export default widget(({ model, el }) => {
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const numbered = (count) => Array.from({ length: count }, (_, i) => [i + 1, i + 1]);

  let picture;
  let asks;
  const texts = menu("Text", [], "", (text) => set("text", text));
  const layers = menu("Layer", numbered(model.get("layers")), "", (layer) =>
    set("layer", Number(layer)),
  );
  const allOrOne = [["", "all"], ...numbered(model.get("heads"))];
  const heads = menu("Head", allOrOne, "", (head) => set("head", head ? Number(head) : null));
  const stage = element("div");
  const sentence = liveSentence(sentenceOf(model, read(model)));
  const own = ownText(model);

  const draw = guarded(el, () => {
    const options = model.get("texts").map((text) => new Option(visible(text), text));
    texts.select.replaceChildren(...options);
    texts.hidden = options.length === 1;
    const { tokens } = read(model);
    // It plays on while another head is chosen.
    if (asks?.count !== tokens.length) asks = askingPlayer(tokens.length, set);
    picture?.stop();
    picture = buildPicture(model, set, asks);
    stage.replaceChildren(...picture.parts);
    update();
  });
  const update = guarded(el, () => {
    texts.select.value = model.get("text");
    layers.select.value = model.get("layer");
    heads.select.value = model.get("head") ?? "";
    sentence.say(picture.show());
  });

  const controls = element("div", { className: "controls" }, texts, layers, heads);
  el.replaceChildren(
    frame("memory-attention", "Attention over the memory", own.node, controls, stage, sentence),
  );
  draw();
  const offs = [
    own.off,
    onChange(model, ["weights", "text", "head"], draw),
    onChange(model, ["step", "layer"], update),
    () => picture?.stop(),
  ];
  return () => offs.forEach((off) => off());
});

const PATIENCE = 10; // seconds
const NO_ANSWER =
  "No answer: run the cell again. If another cell is still running, the answer comes after it.";

// A field for the reader's own text, which Python reads with the models it has. It is `typed` as
// long as there is no answer.
function ownText(model) {
  if (!model.get("has_kernel") || !model.get("reads_more")) return { node: "", off() {} };
  const field = element("textarea", { rows: 2, ariaLabel: "own text", placeholder: "own text" });
  const answer = element("span", { className: "answer", role: "status" });
  let timer;
  const say = (text) => {
    clearTimeout(timer);
    answer.textContent = text;
  };
  const send = button("Read it", () => {
    const text = field.value;
    if (model.get("texts").includes(text)) {
      model.set("text", text);
    } else if (text) {
      model.set("typed", ""); // the same text can be asked for again
      model.set("typed", text);
      say("Python is reading it \u2026");
      timer = setTimeout(() => say(NO_ANSWER), 1000 * PATIENCE);
    }
    model.save_changes();
  });
  const offs = [
    onChange(model, ["text"], () => {
      if (["", model.get("text")].includes(model.get("typed"))) say(""); // else it is awaited still
    }),
    onChange(model, ["problem"], () => model.get("problem") && say(model.get("problem"))),
    onChange(model, ["typed"], () => model.get("typed") || say(model.get("problem"))),
    () => clearTimeout(timer),
  ];
  const node = element("div", { className: "controls own" }, keepKeys(field), send, answer);
  return { node, off: () => offs.forEach((off) => off()) };
}

// ---- numbers ----

// The tokens of the present text, and weight(m, l, h, t, j) of model m, all counted from 0.
function read(model) {
  const [names, L, H] = ["names", "layers", "heads"].map((name) => model.get(name));
  const all = model.get("tokens");
  // A text that is being replaced is in none of the places: the new one is last.
  const index = model.get("texts").indexOf(model.get("text"));
  const place = index < 0 ? all.length - 1 : index;
  const below = (T) => (T * (T + 1)) / 2; // pairs of t and j < t + 1
  const maps = names.length * L * H;
  const start = all.slice(0, place).reduce((sum, tokens) => sum + maps * below(tokens.length), 0);
  const tokens = all[place];
  const T = tokens.length;
  const packed = model.get("weights");
  const weight = (m, l, h, t, j) => {
    if (j > t) return 0;
    const map = (m * L + l) * H + h;
    return packed.getUint16(2 * (start + map * below(T) + below(t) + j), true) / 65535;
  };
  return { tokens, weight };
}

// The heads that are shown, counted from 0.
function headsOf(model) {
  const head = model.get("head");
  return head ? [head - 1] : Array.from({ length: model.get("heads") }, (_, h) => h);
}

// The step and the layer that are shown, counted from 0. (A new text may be shorter than the last.)
function placeOf(model, tokens) {
  return { t: Math.min(model.get("step"), tokens.length - 1), l: model.get("layer") - 1 };
}

// What a head gives to the steps 0..t, and where most goes: undefined if it reads nothing.
function rowOf({ weight }, m, l, h, t) {
  const values = Array.from({ length: t + 1 }, (_, j) => weight(m, l, h, t, j));
  const most = Math.max(...values);
  return { values, best: most > 0 ? values.indexOf(most) : undefined };
}

// ---- picture ----

// The picture of the present text and heads; `show` brings it up to date with step and layer, and
// returns the sentence. Each token is a column: the token, and a cell for each head of each model.
// `asks` is the player of the step that asks.
function buildPicture(model, set, asks) {
  const text = read(model);
  const { tokens, weight } = text;
  const names = model.get("names");
  const heads = headsOf(model);
  const rows = names.flatMap((_, m) => heads.map((h) => ({ m, h })));
  // A feedback model reads the past alone: at step 0 it gives no weight, not even to itself.
  const readsItself = names.map((_, m) => weight(m, 0, 0, 0, 0) > 0);
  const columns = tokens.map((token, j) => columnOf(token, j, names, heads));
  const lines = element("div", {
    className: "lines",
    role: "img",
    style: { "--letters": Math.min(12, Math.max(...tokens.map((token) => [...token].length))) },
  });
  const arrange = () => breakIntoLines(lines, columns, () => labelsOf(names, heads));
  arrange();
  const stop = onWidth(lines, arrange);

  // The step whose weights are read out. None, or a later one: where the first head looks most.
  let point = Infinity;
  const pointAt = (j) => {
    if (j === point || j > placeOf(model, tokens).t) return;
    point = j;
    show();
  };
  const points = slider("step that is read", { step: 1 }, pointAt);
  const pointing = element("span", { className: "where" });
  const reading = element("label", { className: "reading" }, "Weight on", points, pointing);
  const table = tableOf(names, heads);

  // Where the mouse itself moves, not where the page moves below it or below a finger.
  listen(lines, "pointermove", ({ target, pointerType, buttons }) => {
    if (pointerType === "touch" || buttons) return;
    if (target.matches(".cell")) pointAt(columns.indexOf(target.closest(".column")));
  });
  listen(lines, "click", ({ target }) => {
    if (target.matches(".cell")) pointAt(columns.indexOf(target.closest(".column")));
    if (!target.matches(".token")) return;
    asks.stop();
    set("step", columns.indexOf(target.closest(".column")));
    asks.input.focus({ preventScroll: true }); // arrow keys go on from here
  });

  const show = () => {
    const { t, l } = placeOf(model, tokens);
    const name = (j) => `step ${j}, ${spoken(tokens[j])}`;
    asks.input.value = t;
    asks.where.textContent = asks.input.ariaValueText = name(t);
    if (point > t) point = rowOf(text, 0, l, heads[0], t).best ?? t;
    points.max = t;
    points.value = point;
    pointing.textContent = points.ariaValueText = name(point);
    columns.forEach((column, j) => {
      column.dataset.time = j < t ? "past" : j === t ? "present" : "future";
      column.toggleAttribute("data-point", j === point);
    });
    rows.forEach(({ m, h }, r) => {
      const row = rowOf(text, m, l, h, t);
      const end = readsItself[m] ? t + 1 : t; // the steps before this one are read
      const cells = columns.map(({ cells }) => cells[r]);
      paint(cells, row, end, `${names[m]}, head ${h + 1}`);
      const [most, pointed] = table.cells[r];
      most.replaceChildren(...mostOf(row, tokens));
      pointed.textContent = point < end ? exact(row.values[point]) : "not read";
    });
    table.pointed.forEach((node) => {
      node.replaceChildren("on ", piece(`${point} ${spoken(tokens[point])}`));
    });
    return (lines.ariaLabel = sentenceOf(model, text));
  };
  return { parts: [asks, lines, legend(readsItself), reading, table.node], show, stop };
}

function askingPlayer(count, set) {
  const asks = player("step that asks", { count }, (step) => set("step", step));
  const where = element("span", { className: "where" });
  asks.append(where);
  return Object.assign(asks, { count, where });
}

// Colours each cell by its weight and marks the highest; those from `end` on are not read.
function paint(cells, { values, best }, end, label) {
  cells.forEach((cell, j) => {
    const isRead = j < end;
    cell.dataset.read = isRead ? (j === best ? "most" : "yes") : "no";
    cell.style.setProperty("--share", isRead ? `${100 * values[j]}%` : "0%");
    cell.title = `${label}, step ${j}: ${isRead ? exact(values[j]) : "not read"}`;
  });
}

function columnOf(token, j, names, heads) {
  const label = { className: "token", textContent: visible(token), title: `step ${j}` };
  const groups = names.map((name) =>
    element(
      "div",
      { className: "cells", data: { model: name } },
      ...heads.map(() => element("span", { className: "cell" })),
    ),
  );
  const column = element("div", { className: "column" }, element("span", label), ...groups);
  return Object.assign(column, { text: token, cells: [...column.querySelectorAll(".cell")] });
}

// What stands at the left of a line: the models, and the numbers of the heads.
function labelsOf(names, heads) {
  const head = (h) =>
    element("span", { className: "head" }, element("i", { textContent: "head " }), `${h + 1}`);
  const groups = names.map((name) => {
    const title = element("span", { className: "name", textContent: name });
    return element("div", { className: "cells", data: { model: name } }, title, ...heads.map(head));
  });
  return element("div", { className: "labels" }, ...groups);
}

// Puts as many columns into a line as fit, and begins the next one with a word where it can.
function breakIntoLines(place, columns, labels) {
  const widthOf = (node) => node.getBoundingClientRect().width;
  const line = element("div", { className: "line" }, labels(), ...columns);
  place.replaceChildren(line);
  const room = widthOf(place) - widthOf(line.firstChild);
  const most = Math.floor(room / widthOf(columns[0]));
  if (!(most > 0)) return; // not on the page yet
  const lines = [];
  for (let start = 0; start < columns.length; ) {
    let end = Math.min(start + most, columns.length);
    if (end < columns.length) {
      const isSpace = (j) => /^\s$/.test(columns[j].text);
      let word = end;
      while (word > start && !isSpace(word - 1)) word--;
      if (word > start + most / 2) end = word;
    }
    lines.push(element("div", { className: "line" }, labels(), ...columns.slice(start, end)));
    start = end;
  }
  place.replaceChildren(...lines);
}

// The numbers of the picture: a row for each head, for each model where it looks most, and what it
// gives to one step. `cells` has a pair for each row of the picture.
function tableOf(names, heads) {
  const head = (text, more) => element("th", { textContent: text, scope: "col", ...more });
  const pointed = names.map(() => head(""));
  const tops = names.map((name) =>
    head(name, { scope: "colgroup", colSpan: 2, data: { model: name } }),
  );
  const cells = names.map(() => heads.map(() => [element("td"), element("td")]));
  const rows = heads.map((h, i) =>
    element("tr", {}, head(h + 1, { scope: "row" }), ...cells.flatMap((pairs) => pairs[i])),
  );
  const node = element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, head("head", { rowSpan: 2 }), ...tops),
      element("tr", {}, ...pointed.flatMap((node) => [head("most on step"), node])),
    ),
    element("tbody", {}, ...rows),
  );
  return { node, cells: cells.flat(), pointed };
}

// Where a head looks most, as the table says it.
function mostOf({ values, best }, tokens) {
  if (best === undefined) return ["nothing"];
  return [piece(`${best} ${spoken(tokens[best])}`), " ", piece(exact(values[best]))];
}

// A part of a text in which no line breaks.
const piece = (text) => element("span", { className: "piece", textContent: text });

function legend(readsItself) {
  const scale = element("span", { className: "scale" });
  const parts = [element("span", {}, "0\u00a0%", scale, "100\u00a0%")];
  const mark = (read, text) => {
    const cell = element("span", { className: "cell", data: { read } });
    parts.push(element("span", {}, cell, text));
  };
  mark("most", "most of its row");
  if (readsItself.includes(false)) mark("no", "not read: a feedback model reads the past alone");
  return element("div", { className: "legend" }, ...parts);
}

// ---- words ----

const signs = new Map([[" ", "\u2423"], ["\n", "\u21b5"], ["\t", "\u21e5"]]);
const words = new Map([[" ", "space"], ["\n", "new line"], ["\t", "tab"]]);
const visible = (text) => text.replace(/[\n\t]|^ $/g, (character) => signs.get(character));
const spoken = (token) => words.get(token) ?? `\u201c${token}\u201d`;
const exact = (weight) => `${(100 * weight).toFixed(1)}\u00a0%`;

// Where the chosen step looks most; `sentence` in Python says the same.
function sentenceOf(model, text) {
  const { tokens } = text;
  const { t, l } = placeOf(model, tokens);
  const heads = headsOf(model);
  const s = heads.length === 1 ? "s" : "";
  let before;
  const parts = model.get("names").map((name, m, names) => {
    const rows = heads.map((h) => rowOf(text, m, l, h, t));
    const [{ values, best }] = rows;
    const steps = rows.map(({ best }) => best ?? 0).join(", ");
    let [verb, rest] = [`look${s} most`, `at steps ${steps}`];
    if (rows.every(({ best }) => best === undefined)) {
      [verb, rest] = [`read${s}`, "nothing, as there is no earlier step"];
    } else if (heads.length === 1) {
      rest = `at step ${best} (${spoken(tokens[best])}), ${percent(values[best])}\u00a0%`;
    }
    const part = verb === before ? rest : `${verb} ${rest}`; // a verb is not said twice
    before = verb;
    return names.length > 1 ? `${part} (${name})` : part;
  });
  const who = heads.length > 1 ? `heads 1 to ${heads.length}` : `head ${heads[0] + 1}`;
  return `At step ${t} (${spoken(tokens[t])}), layer ${l + 1}, ${who} ${parts.join(", and ")}.`;
}
