// Projector mode, for who reads from the back of a room. It stays on, on every page, until it is
// switched off. The text is laid out as on a page of 800 pixels, as many times as large as the
// window is wider, and keys go from heading to heading and set the widget that is in view.
{
  const KEY = "feedback-book-projector";
  const PIXELS = 800;
  const root = document.documentElement;
  const isOn = () => root.dataset.projector === "on";
  const fit = () => root.style.setProperty("--projector", Math.max(1, innerWidth / PIXELS));

  root.dataset.projector = localStorage.getItem(KEY) === "on" ? "on" : "off";
  fit();
  addEventListener("resize", fit);
  addEventListener("DOMContentLoaded", () => {
    document.querySelector(".btn-projector")?.addEventListener("click", toggle);
    document.querySelector("main")?.append(lineOfKeys());
    say();
  });

  function toggle() {
    const read = scrollY > 0 && topmost();
    root.dataset.projector = isOn() ? "off" : "on";
    localStorage.setItem(KEY, root.dataset.projector);
    say();
    if (read) read.scrollIntoView({ block: "start", behavior: "instant" });
  }

  function say() {
    document.querySelector(".btn-projector")?.setAttribute("aria-pressed", isOn());
    dispatchEvent(new Event("resize")); // the theme lets the Tab key reach what scrolls
  }

  // What stands below the header, and stays there when everything gets another size.
  function topmost() {
    const parts = [...document.querySelectorAll("article :is(h1, h2, h3, p, pre, figure, li)")];
    return parts.find((part) => part.getBoundingClientRect().bottom > edge());
  }

  // How far down the header reaches, in pixels of the window.
  const edge = () => Number.parseFloat(getComputedStyle(root).scrollPaddingTop) || 0;

  // ---- keys ----

  const LINE = [
    [["n", "p"], "next and previous heading"],
    [["Page down", "Page up"], "on and back"],
    [["\u2192", "\u2190"], "the widget in view"],
    [["F8"], "ends projector mode"],
  ];

  function lineOfKeys() {
    const line = make("section", { className: "projector-keys", ariaLabel: "Projector mode" });
    for (const [keys, text] of LINE) {
      const caps = keys.map((key) => make("kbd", { textContent: key }));
      line.append(make("span", {}, ...caps, ` ${text}`));
    }
    return line;
  }

  function make(tag, properties, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  // Who writes, or searches, keeps all keys; and a control its arrows. A slider has arrows enough,
  // so that the remote control of a presenter, which knows two keys, always goes on.
  const WRITES =
    "dialog, select, textarea, [contenteditable], " +
    "input:not([type=range], [type=radio], [type=checkbox])";
  const HAS_ARROWS = "input, [tabindex='0'], [role=slider], [role=tab]";
  const ACTS = {
    n: () => goTo(headingBeside(1)),
    p: () => goTo(headingBeside(-1)),
    PageDown: () => goTo(headingWithin(1)),
    PageUp: () => goTo(headingWithin(-1)),
    ArrowRight: (target) => !target.matches(HAS_ARROWS) && setWidget(1),
    ArrowLeft: (target) => !target.matches(HAS_ARROWS) && setWidget(-1),
  };

  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (key === "F8" && !event.shiftKey) {
      event.preventDefault();
      return toggle();
    }
    if (!isOn() || event.shiftKey || !target.matches || target.closest(WRITES)) return;
    const act = ACTS[key.length === 1 ? key.toLowerCase() : key]; // with the capitals lock too
    if (act?.(target)) event.preventDefault();
  });

  // ---- headings ----

  // The heading to which the reader went, if it is still in view, counts as the present one: near
  // the end of a page several cannot come to its top.
  function headingBeside(step) {
    const all = [...document.querySelectorAll("article :is(h1, h2, h3)")].filter(isShown);
    const topOf = (heading) => heading.getBoundingClientRect().top;
    const at = all.indexOf(document.activeElement);
    if (at >= 0 && topOf(all[at]) > 0 && topOf(all[at]) < innerHeight) return all[at + step];
    if (step > 0) return all.find((heading) => topOf(heading) > edge() + 4);
    return all.filter((heading) => topOf(heading) < edge() - 4).at(-1);
  }

  // The same, unless more than a screen lies between: then the browser goes on by a screen.
  function headingWithin(step) {
    const heading = headingBeside(step);
    if (!heading) return undefined;
    const { top } = heading.getBoundingClientRect();
    const isNear = step > 0 ? top < innerHeight : top > 2 * edge() - innerHeight;
    return isNear ? heading : undefined;
  }

  function goTo(heading) {
    if (!heading) return false;
    heading.tabIndex = -1; // it takes the focus, so that the Tab key goes on from there
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: "start", behavior: "instant" });
    return true;
  }

  // ---- widgets ----

  // What sets the state of a widget, the likeliest first. Fields and buttons only get the focus.
  const CONTROLS = [
    ".player input, [data-steps]",
    "input[type=range]",
    "input[type=radio]",
    "select",
    "input, textarea",
    "button",
  ];

  const isShown = (part) => part.getClientRects().length > 0;

  function setWidget(step) {
    const view = nearest([...document.querySelectorAll("article .feedback-view")]);
    const usable = (part) => isShown(part) && !part.disabled;
    const control = CONTROLS.map((kind) =>
      [...(view?.querySelectorAll(kind) ?? [])].find(usable),
    ).find(Boolean);
    if (!control) return false;
    // From here on its own arrow keys do the same. A list would take the letters too.
    if (control.tagName !== "SELECT") control.focus({ preventScroll: true });
    if (control.type === "range") {
      if (step > 0) control.stepUp();
      else control.stepDown();
      tell(control, "input");
    } else if (control.type === "radio") {
      const all = [...view.querySelectorAll("input[type=radio]")].filter(usable);
      const at = all.findIndex((one) => one.checked);
      const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
      next.focus({ preventScroll: true });
      next.click();
    } else if (control.tagName === "SELECT") {
      const last = control.options.length - 1;
      control.selectedIndex = Math.min(last, Math.max(0, control.selectedIndex + step));
      tell(control, "change");
    }
    return true;
  }

  const tell = (control, event) => control.dispatchEvent(new Event(event, { bubbles: true }));

  // Of those in view the one nearest to the middle of the window.
  function nearest(views) {
    const away = (view) => {
      const { top, bottom } = view.getBoundingClientRect();
      if (bottom < edge() || top > innerHeight) return Infinity;
      return Math.max(top - innerHeight / 2, innerHeight / 2 - bottom, 0);
    };
    const places = views.map(away);
    const least = Math.min(...places);
    return least < Infinity ? views[places.indexOf(least)] : undefined;
  }
}
