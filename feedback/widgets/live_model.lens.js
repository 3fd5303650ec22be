// The lens: what the output of each layer would predict, if no layer followed.

import { keepKeys } from "./base.controls.js";
import { listen } from "./base.life.js";
import { percent } from "./base.numbers.js";
import { element } from "./base.page.js";
import { visible } from "./base.words.js";
import { namesOf, note, setText } from "./live_model.elements.js";
import { distribution } from "./live_model.engine.js";

const PLACES = ["likeliest", "second", "third"]; // characters that are shown of each output

export function lensPart(model, { decode }, { predict, redraw }) {
  const rows = [...namesOf(model.get("learned")), "memory"].map((name) => {
    const cells = PLACES.map(() => {
      const [letter, share] = ["letter", "share"].map((part) =>
        element("span", { className: part }),
      );
      return { letter, share, node: element("td", {}, letter, share) };
    });
    const head = element("th", { scope: "row", textContent: name });
    return { cells, node: element("tr", {}, head, ...cells.map(({ node }) => node)) };
  });
  const titles = ["output of", ...PLACES].map((title) => element("th", { textContent: title }));
  titles.forEach((title) => (title.scope = "col"));
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...rows.map(({ node }) => node)),
  );
  const summary = keepKeys(element("summary", { textContent: "What each layer would predict" }));
  const legend = note(
    "The last norm and the head read each output as if it were that of the last layer, and the " +
      "memory vector too. Before temperature and top-k; marked is the character that came next.",
  );
  // While it is folded nothing of this is computed.
  const node = element("details", { className: "part lens" }, summary, table, legend);
  listen(node, "toggle", redraw);
  return {
    node,
    show({ tokens, place, record }) {
      if (!node.open) return;
      [...record.outputs, record.memory].forEach((output, row) => {
        const best = distribution(predict(output), { temperature: 1 });
        rows[row].cells.forEach(({ letter, share, node }, i) => {
          if (i >= best.length) return; // of a vocabulary of one or two characters
          setText(letter, visible(decode([best[i][0]])));
          setText(share, `${percent(best[i][1])}\u00a0%`);
          node.toggleAttribute("data-drawn", tokens[place + 1] === best[i][0]);
        });
      });
    },
  };
}
