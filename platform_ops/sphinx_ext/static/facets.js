/* Filters of index pages. The lists are complete without this file; it hides what does not match. */
(() => {
  "use strict";
  const items = [...document.querySelectorAll("ul.airflow-index > li")];
  if (items.length < 8) return;
  const article = items[0].closest("article") || document.body;
  const marks = [...new Set(items.flatMap((item) =>
    [...item.querySelectorAll(".airflow-badge")].map((badge) => badge.textContent)))].sort();
  const groups = [...article.querySelectorAll("section")].filter((section) =>
    section.querySelector(":scope > ul.airflow-index"));

  const bar = document.createElement("form");
  bar.className = "airflow-facets";
  bar.setAttribute("role", "search");
  bar.addEventListener("submit", (event) => event.preventDefault());
  const field = (label, control) => {
    const box = document.createElement("label");
    box.append(label, control);
    bar.append(box);
    return control;
  };
  const text = field("Filter ", Object.assign(document.createElement("input"), { type: "search" }));
  const system = document.createElement("select");
  if (groups.length > 1) {
    system.append(new Option("all", ""));
    groups.forEach((group, number) =>
      system.append(new Option(group.querySelector("h2, h3").firstChild.textContent, number)));
    field("Of ", system);
  }
  const boxes = marks.map((mark) =>
    field(` ${mark} `, Object.assign(document.createElement("input"), { type: "checkbox", value: mark })));
  const count = document.createElement("output");
  bar.append(count);

  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value);
    let shown = 0;
    for (const item of items) {
      const said = item.textContent.toLowerCase();
      const has = [...item.querySelectorAll(".airflow-badge")].map((badge) => badge.textContent);
      const group = item.closest("section");
      const hidden = !words.every((word) => said.includes(word))
        || !wanted.every((mark) => has.includes(mark))
        || (system.value !== "" && groups[Number(system.value)] !== group);
      item.hidden = hidden;
      shown += hidden ? 0 : 1;
    }
    for (const group of groups) group.hidden = !group.querySelector("li:not([hidden])");
    count.value = `${shown} of ${items.length}`;
  };
  bar.addEventListener("input", apply);
  const first = groups.length ? groups[0] : items[0].parentElement;
  first.before(bar);
  apply();
})();
