// Brings the widgets of a built page to life: no kernel, no widget manager, no request elsewhere.
//
// The page loads this file and then, for each kind of widget on it, _static/widgets/NAME.js, which
// hands over a function that makes the widget (book/_ext/offline.py writes those files). All are
// plain scripts, for no module can be loaded from file://, and many a server forbids the blob URL
// through which its text could be imported. For the same reason a buffer is a script,
// _static/buffers/HASH.js, loaded when its widget comes near.

(() => {
  const makers = new Map(); // name -> function that makes the widget
  const widgets = new Map();
  const buffers = new Map(); // hash -> promise of a DataView
  const arrived = new Map(); // hash -> base64, from a script until its buffer is made
  const folder = new URL(".", document.currentScript.src);

  window.registerFeedbackWidget = (name, make) => makers.set(name, make);
  window.registerFeedbackBuffer = (hash, content) => arrived.set(hash, content);
  document.addEventListener("DOMContentLoaded", startWhenNear);

  // What the scripts and style sheets of the widgets need, and the browsers that have all of it.
  // Whatever older browsers know must be enough to read this file, or they could not say so.
  const BROWSERS = "Chrome and Edge from version 111, Firefox from 121, Safari from 16.2";
  const NEEDS = [
    () => CSS.supports("color", "color-mix(in oklab, red, blue)"),
    () => CSS.supports("container-type", "inline-size"),
    () => CSS.supports("selector(:has(*))"),
    () => "ariaLabel" in Element.prototype,
    () => "at" in Array.prototype,
    () => "ResizeObserver" in window && "IntersectionObserver" in window,
  ];

  function isMet(need) {
    try {
      return need();
    } catch (_error) {
      return false;
    }
  }

  function startWhenNear() {
    const places = document.querySelectorAll(".feedback-widget");
    if (!NEEDS.every(isMet)) {
      const error = new Error(`this browser is too old for it. ${BROWSERS} can show it.`);
      return places.forEach((place) => refuse(place, error));
    }
    const waiting = new Set(places);
    const begin = (place) => {
      if (!waiting.delete(place)) return;
      start(place).catch((error) => refuse(place, error));
    };
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          observer.unobserve(target);
          begin(target);
        }
      },
      { rootMargin: "600px" },
    );
    places.forEach((place) => observer.observe(place));
    // On paper all of them are seen. One that has to wait for a buffer is printed as its text.
    addEventListener("beforeprint", () => places.forEach(begin));
  }

  // Says above the text in `place` why there is no widget.
  function refuse(place, error) {
    const message = document.createElement("p");
    message.className = "feedback-widget-error";
    message.textContent = `This widget could not start: ${error.message}`;
    place.prepend(message);
    place.dataset.state = "failed";
    console.error(error);
  }

  // Replaces the text in `place` by the widget.
  async function start(place) {
    const name = place.dataset.widget;
    if (!getComputedStyle(place).getPropertyValue("--style")) {
      throw new Error(`the page did not load _static/widgets/${name}.css`);
    }
    const text = [...place.children].filter((part) => part.tagName !== "SCRIPT");
    const state = JSON.parse(place.querySelector("script[type='application/json']").textContent);
    for (const { dataset } of place.querySelectorAll("script[data-hash]")) {
      state[dataset.trait] = await loadBuffer(dataset.hash);
    }
    const widget = widgetNamed(name);
    const model = widget.localModel(state);
    const el = document.createElement("div");
    if (widget.initialize) await widget.initialize({ model });
    await widget.render({ model, el });

    // A widget says itself what goes wrong, at once or later: then the text is there again.
    const showText = () => {
      if (el.parentNode !== place) return;
      const failed = el.querySelector(":scope > .feedback-widget-error") !== null;
      if (failed) el.after(...text);
      else text.forEach((part) => part.remove());
      place.dataset.state = failed ? "failed" : "started";
    };
    place.append(el);
    showText();
    new MutationObserver(showText).observe(el, { childList: true });
  }

  function widgetNamed(name) {
    if (!makers.has(name)) throw new Error(`the page did not load _static/widgets/${name}.js`);
    if (!widgets.has(name)) widgets.set(name, makers.get(name)());
    return widgets.get(name);
  }

  function loadBuffer(hash) {
    if (!buffers.has(hash)) {
      const loaded = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = new URL(`buffers/${hash}.js`, folder);
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${script.src} did not load`));
        document.head.append(script);
      });
      buffers.set(
        hash,
        loaded.then(() => viewOf(hash)),
      );
    }
    return buffers.get(hash);
  }

  function viewOf(hash) {
    if (!arrived.has(hash)) throw new Error(`buffers/${hash}.js holds no buffer`);
    const text = atob(arrived.get(hash));
    arrived.delete(hash);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new DataView(bytes.buffer);
  }
})();
