// Of a page that was opened from disk a browser saves no link: it shows the file.
if (location.protocol === "file:") {
  addEventListener("DOMContentLoaded", () => {
    for (const link of document.querySelectorAll("a[download]")) {
      link.target = "_blank"; // and the page stays
      const hint = document.createElement("p");
      hint.className = "from-disk";
      hint.textContent =
        "From disk: right-click this link (on a phone, hold it) and choose \u201cSave link as\u201d.";
      link.after(hint);
    }
  });
}
