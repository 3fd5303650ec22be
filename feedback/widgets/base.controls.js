// What a reader sets something with: by mouse, by touch and by the keyboard alone.

import { guardedAt, listen } from "./base.life.js";
import { element } from "./base.page.js";

// JupyterLab takes arrow keys for itself unless the element that has the focus says otherwise.
export function keepKeys(control) {
  control.dataset.lmSuppressShortcuts = "true";
  return control;
}

// The wheel scrolls the page. Browsers let it count in a field that has the focus.
function leaveToWheel(input) {
  input.addEventListener("wheel", () => input.blur(), { passive: true });
  return keepKeys(input);
}

export function numberField(properties) {
  return leaveToWheel(element("input", { type: "number", ...properties }));
}

// A slider over min..max; `onInput` is given its value.
export function slider(label, { min = 0, max = 1, step = 0.01, value = min }, onInput) {
  const input = element("input", { type: "range", min, max, step, ariaLabel: label });
  input.value = value;
  onPurpose(input, () => onInput(Number(input.value)));
  return leaveToWheel(input);
}

const FAR = 12; // pixels by which a finger has moved for certain

// Calls `action` when a slider was moved. Where a touch begins browsers move it at once, but the
// finger may be about to scroll the page: the slider is put back until the finger has gone along it
// or has ended a tap. Nothing else hears of it before.
function onPurpose(input, action) {
  let touch;
  const end = () => (touch = undefined);
  const on = (event, act) =>
    input.addEventListener(event, guardedAt(input, act), { passive: true });
  on("pointerdown", ({ pointerType, clientX: x, clientY: y }) => {
    touch = pointerType === "mouse" ? undefined : { x, y, value: input.value, does: "tap" };
  });
  on("pointermove", ({ clientX, clientY }) => {
    if (touch?.does !== "tap") return;
    const [along, across] = [clientX - touch.x, clientY - touch.y].map(Math.abs);
    if (Math.max(along, across) > FAR) touch.does = along > across ? "drag" : "scroll";
  });
  on("touchmove", ({ touches }) => {
    if (touch && touches.length > 1) touch.does = "scroll";
  });
  on("pointercancel", () => {
    if (touch) touch.does = "scroll";
  });
  on("input", () => {
    if (touch && touch.does !== "drag") {
      touch.tapped = input.value;
      input.value = touch.value;
      return;
    }
    if (touch) touch.value = input.value;
    action();
  });
  on("pointerup", () => {
    const { does, tapped } = touch ?? {};
    end();
    if (does !== "tap" || tapped === undefined) return;
    input.value = tapped;
    action();
  });
  ["touchend", "touchcancel", "keydown"].forEach((event) => on(event, end));
}

export function button(text, onClick) {
  const node = element("button", { type: "button", textContent: text });
  listen(node, "click", onClick);
  return keepKeys(node);
}

// A box to tick, with what stands beside it; `onInput` is given whether it is ticked.
export function checkbox(onInput, ...label) {
  const input = keepKeys(element("input", { type: "checkbox" }));
  listen(input, "change", () => onInput(input.checked));
  const node = element("label", { className: "control" }, input, ...label);
  return Object.assign(node, { input });
}

// A labelled menu of [value, text] pairs; `onInput` is given the value that was chosen, as text.
export function menu(label, options, value, onInput) {
  const select = element("select", {}, ...options.map(([value, text]) => new Option(text, value)));
  select.value = value;
  listen(select, "change", () => onInput(select.value));
  const node = element("label", { className: "control" }, `${label} `, keepKeys(select));
  return Object.assign(node, { select });
}

// A slider over the `count` steps from `first` on with a button that plays them, the first time from
// the step `from` if the reader has not moved the slider before. `show` is given the step.
export function player(label, { count, first = 0, value = first, perSecond = 4, from }, show) {
  const last = first + count - 1;
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  };
  const go = (step) => {
    input.value = step;
    show(step);
  };
  const input = slider(label, { min: first, max: last, step: 1, value }, (step) => {
    from = undefined;
    stop();
    show(step);
  });
  const advance = () => {
    const step = Number(input.value);
    if (!input.isConnected || step >= last) return stop();
    go(step + 1);
  };
  const play = button("Play", () => {
    if (timer !== undefined) return stop();
    if (from !== undefined || Number(input.value) >= last) go(from ?? first);
    from = undefined;
    timer = setInterval(guardedAt(input, advance), 1000 / perSecond);
    play.textContent = "Pause";
  });
  const node = element("div", { className: "player" }, play, input);
  return Object.assign(node, { input, go, stop });
}
