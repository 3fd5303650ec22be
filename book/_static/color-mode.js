{
  const page = document.documentElement.dataset;

  // What the reader chose, or what the system prefers, before anything is drawn. Other pages of the
  // same server may have kept something else under that name.
  const mode = localStorage.getItem("mode");
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  page.mode = ["light", "dark"].includes(mode) ? mode : "auto";
  page.theme = page.mode === "auto" ? system : page.mode;

  // Paper is white: a page is printed in its light colours.
  let onScreen = page.theme;
  addEventListener("beforeprint", () => {
    onScreen = page.theme;
    page.theme = "light";
  });
  addEventListener("afterprint", () => (page.theme = onScreen));
}
