// The search is a form, and a sandboxed frame forbids forms. Links it allows.
addEventListener("keydown", (event) => {
  const form = event.target.closest?.("form.bd-search");
  if (event.key !== "Enter" || event.isComposing || !form) return;
  event.preventDefault();
  const address = new URL(form.action);
  address.search = new URLSearchParams(new FormData(form));
  location.assign(address);
});

// From disk, and in such a frame, no script may read other pages: they are listed without excerpts.
if (origin === "null") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
