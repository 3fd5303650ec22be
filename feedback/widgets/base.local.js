// The part of an anywidget model that widgets of this book use, where no kernel holds their state: in
// the built page, and where one widget opens another.

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
