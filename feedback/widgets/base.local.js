// The state of a widget that another widget opens: a model as render({ model, el }) needs it, which
// tells no kernel of anything.

export function localModel(state) {
  const listeners = new Map();
  const of = (event) => {
    if (!listeners.has(event)) listeners.set(event, new Set());
    return listeners.get(event);
  };
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
