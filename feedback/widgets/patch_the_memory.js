// A part of one run's memory put into another run, in the page, without a kernel (chapter 10).
//
// The state is six traits: the `model` that is asked, the shuffles of both rows, the pairs that are
// `put` in, how many vectors are moved at once, and which `part` of them. All else follows:
// patch_the_memory.numbers.js computes and says it, patch_the_memory.rows.js draws it,
// patch_the_memory.moving.js has dragging and keys. Below, all models read on and on
// (patch_the_memory.long.js).

import { button, menu } from "./base.controls.js";
import { guarded, onChange, save, widget } from "./base.life.js";
import { range } from "./base.numbers.js";
import { element, frame, liveSentence } from "./base.page.js";
import { readerOf, unpackWhole } from "./live_model.whole.js";
import { LONGEST, longPart } from "./patch_the_memory.long.js";
import {
  compare,
  describe,
  drawRows,
  partsOf,
  READ,
  TOTAL,
  withPut,
} from "./patch_the_memory.numbers.js";
import { rowsPart } from "./patch_the_memory.rows.js";

const TRAITS = ["model", "row", "donor", "put", "count", "part"];
const KEY =
  "D: the answer goes on from the donor's state. R: from the row's own. A dash: from neither. " +
  "Lines show where a shuffle takes each cup.";

export default widget(({ model, el }) => {
  const get = (name) => model.get(name);
  const models = get("models");
  const names = models.map(({ name }) => name);
  // Beside a kernel too, the weights come as they are when the widget is drawn.
  const numbers = unpackWhole(get("weights"), models);
  const make = (most) => models.map(({ sizes }, i) => readerOf(sizes, numbers[i], most));
  const readers = make(TOTAL);
  const chosen = () => names.indexOf(get("model"));
  const partsNow = (name = get("model")) => partsOf(models[names.indexOf(name)].sizes.layers);
  const state = () => Object.fromEntries(TRAITS.map((name) => [name, get(name)]));

  const which = menu(
    "model",
    names.map((name) => [name, name]),
    get("model"),
    (name) => {
      const isThere = partsNow(name).some(([part]) => part === get("part"));
      save(model, { model: name, part: isThere ? get("part") : "all" });
    },
  );
  const counts = range(1, READ + 1).map((n) => [String(n), n === 1 ? "one" : `the last ${n}`]);
  const count = menu("move", counts, String(get("count")), (n) =>
    save(model, { count: Number(n) }),
  );
  const part = menu("of each", partsNow(), get("part"), (part) => save(model, { part }));
  const rows = rowsPart({
    state,
    put: (from, to) => save(model, { put: withPut(get("put"), from, to, get("count")) }),
    clear: (to) => save(model, { put: get("put").filter((pair) => pair[1] !== to) }),
  });
  const restore = button("Take all out", () => save(model, { put: [] }));
  const other = button("Other rows", () => save(model, { ...drawRows(Math.random), put: [] }));
  const sentence = liveSentence("", 600);
  const trained = Math.max(...models.map(({ trained }) => trained));
  const safely = (action) => guarded(el, action);
  const long = longPart(names, trained, () => make(LONGEST), safely);

  const show = safely(() => {
    const now = state();
    const found = compare(readers[chosen()], now);
    which.select.value = now.model;
    count.select.value = String(now.count);
    if (part.select.options.length !== partsNow().length) {
      part.select.replaceChildren(...partsNow().map(([value, text]) => new Option(text, value)));
    }
    part.select.value = now.part;
    restore.disabled = now.put.length === 0;
    rows.show(found);
    sentence.say(describe(found, now.put, now.part));
  });
  show();
  el.replaceChildren(
    frame(
      "patch-the-memory",
      "Memory vectors of one run, put into another",
      element("div", { className: "controls" }, which, count, part, restore, other),
      rows.node,
      element("p", { className: "note", textContent: KEY }),
      sentence,
      long.node,
    ),
  );
  const off = onChange(model, TRAITS, show);
  return () => {
    off();
    long.end();
  };
});
