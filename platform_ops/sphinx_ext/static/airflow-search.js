// Opens the search: "/" or Ctrl-K, or the field that the theme has. All else is loaded when that happens.

"use strict";

// The pages of a site that is opened as files cannot load an index; Sphinx's own search remains there.
if (location.protocol !== "file:") {
  const place = document.currentScript.src;
  const field = document.querySelector(".sidebar-search, [role=search] input[name=q]");

  const open = async (text = "") => {
    try {
      const { openSearch } = await import(new URL("airflow-search-dialog.js", place));
      await openSearch(text, new URL("../", place));
    } catch {
      field?.form.submit();
    }
  };

  const isWriting = (target) => target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);

  // Before Sphinx, which would go to the field for "/".
  window.addEventListener("keydown", (event) => {
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isWriting(event.target);
    const control = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    if (!slash && !control) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    open();
  }, true);

  if (field) {
    field.placeholder = `${field.placeholder}  ( / )`;
    field.addEventListener("click", () => open(field.value));
    field.form.addEventListener("submit", (event) => {
      event.preventDefault();
      open(field.value);
    });
  }

  // The page of Sphinx's search is empty until it is asked for something.
  if (/\/search(\.html|\/)?$/.test(location.pathname) && !new URLSearchParams(location.search).get("q")) open();

  const header = document.querySelector(".mobile-header .header-right");
  if (header) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "airflow-search-open";
    button.setAttribute("aria-label", "Search");
    button.addEventListener("click", () => open());
    header.prepend(button);
  }
}
