// What the page's scripts keep, the browser may refuse to keep: its storage is forbidden, full or
// broken. Then it is kept here, for as long as the page lives. The theme's scripts would end instead.
for (const name of ["localStorage", "sessionStorage"]) {
  let browsers; // the browser's own storage, if there is one
  try {
    browsers = window[name];
  } catch {
    // forbidden
  }
  const refused = new Map();
  const ask = (method, ...given) => {
    try {
      return browsers[method](...given);
    } catch {
      return null;
    }
  };
  const names = () => [...new Set([...Object.keys(browsers ?? {}), ...refused.keys()])];
  const ours = {
    __proto__: null,
    getItem: (key) => refused.get(String(key)) ?? ask("getItem", key),
    setItem(key, value) {
      try {
        browsers.setItem(key, value);
        refused.delete(String(key));
      } catch {
        refused.set(String(key), String(value));
      }
    },
    removeItem(key) {
      refused.delete(String(key));
      ask("removeItem", key);
    },
    clear() {
      refused.clear();
      ask("clear");
    },
    key: (index) => names()[index] ?? null,
    get length() {
      return names().length;
    },
  };
  const value = new Proxy(browsers ?? {}, { get: (target, key) => ours[key] ?? target[key] });
  Object.defineProperty(window, name, { value, configurable: true });
}
