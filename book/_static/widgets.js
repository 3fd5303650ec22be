// Brings the widgets of a built page to life: no kernel, no widget manager, no request elsewhere.
//
// The page loads this file and then, for each kind of widget on it, _static/widgets/NAME.js, which
// hands over the module's source text (book/_ext/offline.py writes those files). A module cannot be
// loaded from file://, but its text can be imported through a blob URL, as anywidget does. For the
// same reason a buffer is a script, _static/buffers/HASH.js, loaded when its widget comes near.

(() => {
  const sources = new Map();
  const modules = new Map();
  const buffers = new Map(); // hash -> promise of a DataView
  const arrived = new Map(); // hash -> base64, from a script until its buffer is made
  const folder = new URL(".", document.currentScript.src);

  window.registerFeedbackWidget = (name, source) => sources.set(name, source);
  window.registerFeedbackBuffer = (hash, content) => arrived.set(hash, content);
  document.addEventListener("DOMContentLoaded", startWhenNear);

  function startWhenNear() {
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          observer.unobserve(target);
          start(target);
        }
      },
      { rootMargin: "600px" },
    );
    document.querySelectorAll(".feedback-widget").forEach((place) => observer.observe(place));
  }

  // Replaces the text in `place` by the widget, or says above that text why there is none.
  async function start(place) {
    try {
      const state = JSON.parse(place.querySelector("script[type='application/json']").textContent);
      for (const { dataset } of place.querySelectorAll("script[data-hash]")) {
        state[dataset.trait] = await loadBuffer(dataset.hash);
      }
      const widget = await importWidget(place.dataset.widget);
      const model = createModel(state);
      const el = document.createElement("div");
      await widget.initialize?.({ model });
      await widget.render({ model, el });
      place.querySelector("p")?.remove();
      place.append(el);
      place.dataset.state = "started";
    } catch (error) {
      const message = document.createElement("p");
      message.className = "feedback-widget-error";
      message.textContent = `This widget could not start: ${error.message}`;
      place.prepend(message);
      place.dataset.state = "failed";
      console.error(error);
    }
  }

  function importWidget(name) {
    if (!sources.has(name)) throw new Error(`the page did not load _static/widgets/${name}.js`);
    if (!modules.has(name)) {
      const url = URL.createObjectURL(new Blob([sources.get(name)], { type: "text/javascript" }));
      modules.set(name, import(url).then((module) => module.default));
    }
    return modules.get(name);
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
      buffers.set(hash, loaded.then(() => viewOf(hash)));
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

  // The part of an anywidget model that widgets of this book use; there is no kernel to save to.
  function createModel(state) {
    const listeners = new Map();
    const of = (event) => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
    return {
      get: (name) => state[name],
      set(name, value) {
        if (state[name] === value) return;
        state[name] = value;
        of(`change:${name}`).forEach((listener) => listener());
      },
      save_changes() {},
      on: (event, listener) => of(event).add(listener),
      off: (event, listener) => of(event).delete(listener),
    };
  }
})();
