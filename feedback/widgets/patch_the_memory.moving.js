// How a memory vector is moved from one row to the other: dragged; or pressed, and then a place; or
// by the keyboard alone.
//
// `vectors` and `places` are buttons, one a step. Arrow keys go along a row of them and, up or down,
// to the other one, so that each row is one stop of the Tab key. Enter picks a vector up or puts it
// down, Escape gives up. `put(from, to)` is called with steps that count from 1, `clear(to)` when a
// place is pressed while nothing is picked up, and `show()` when it has changed what is picked up.

import { guardedAt, listen } from "./base.life.js";
import { element } from "./base.page.js";

const NEAR = 5; // pixels within which a pointer has pressed and not dragged

export function createMoving({ vectors, places, put, clear, show }) {
  let picked; // the step of a vector
  let target; // the step of the place that a vector is held above

  const pick = (step) => {
    picked = step;
    target = undefined;
    show();
  };
  const drop = (to) => {
    const from = picked;
    pick(undefined);
    if (from !== undefined && to !== undefined) put(from, to);
  };

  // ---- pressing ----

  vectors.forEach((button, i) =>
    listen(button, "click", () => {
      if (button.dataset.dragged !== undefined) return; // the end of a drag
      pick(picked === i + 1 ? undefined : i + 1);
    }),
  );
  places.forEach((button, i) =>
    listen(button, "click", () => {
      if (picked === undefined) clear(i + 1);
      else drop(i + 1);
    }),
  );

  // ---- the keyboard ----

  const reach = (row, i) => {
    row.forEach((button, j) => (button.tabIndex = i === j ? 0 : -1));
    row[i].focus();
  };
  const keys = (row, other, steps) =>
    row.forEach((button, i) => {
      button.tabIndex = i === row.length - 1 ? 0 : -1;
      listen(button, "keydown", (event) => {
        const along = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: row.length - 1 }[
          event.key
        ];
        if (event.key === "Escape" && picked !== undefined) {
          const back = picked - 1;
          pick(undefined);
          reach(vectors, back);
        } else if (event.key === steps) reach(other, i);
        else if (row[along]) reach(row, along);
        else return;
        event.preventDefault();
      });
    });
  keys(vectors, places, "ArrowDown");
  keys(places, vectors, "ArrowUp");
  places.forEach((button, i) =>
    listen(button, "focus", () => {
      if (picked === undefined) return;
      target = i + 1;
      show();
    }),
  );

  // ---- dragging ----

  vectors.forEach((button, i) => {
    let [start, ghost] = [undefined, undefined];
    const view = () => button.closest(".feedback-view");
    const placeAt = ({ clientX, clientY }) => {
      const under = button.getRootNode().elementFromPoint(clientX, clientY)?.closest("button");
      const place = places.indexOf(under);
      return place < 0 ? undefined : place + 1;
    };
    const end = () => {
      ghost?.remove();
      [start, ghost] = [undefined, undefined];
      // The click that a drag ends with comes right behind it.
      setTimeout(() => delete button.dataset.dragged);
    };
    listen(button, "pointerdown", (event) => {
      if (event.button !== 0) return;
      delete button.dataset.dragged;
      start = { x: event.clientX, y: event.clientY };
      button.setPointerCapture?.(event.pointerId);
    });
    listen(button, "pointermove", (event) => {
      if (!start) return;
      const far = Math.hypot(event.clientX - start.x, event.clientY - start.y) > NEAR;
      if (!ghost && far) {
        ghost = element("span", { className: "ghost", ariaHidden: "true" });
        ghost.textContent = button.textContent;
        view().append(ghost);
        button.dataset.dragged = "";
        pick(i + 1);
      }
      if (!ghost) return;
      const box = view().getBoundingClientRect();
      ghost.style.left = `${event.clientX - box.left}px`;
      ghost.style.top = `${event.clientY - box.top}px`;
      const above = placeAt(event);
      if (above === target) return;
      target = above;
      show();
    });
    listen(button, "pointerup", (event) => {
      if (ghost) drop(placeAt(event));
      end();
    });
    listen(button, "pointercancel", () => {
      if (ghost) pick(undefined);
      end();
    });
    button.addEventListener("lostpointercapture", guardedAt(button, end));
  });

  return { picked: () => picked, target: () => target };
}
