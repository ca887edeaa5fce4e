/* Filters of index pages. The lists are complete without this file; it hides what does not match.
   A list that has several pages is filtered as a whole: the others are fetched once someone filters. */
(() => {
  "use strict";
  let items = [...document.querySelectorAll("ul.airflow-index > li")];
  if (items.length < 8) return;
  const article = items[0].closest("article") || document.body;
  const marks = [...new Set(items.flatMap((item) =>
    [...item.querySelectorAll(".airflow-badge")].map((badge) => badge.textContent)))].sort();
  let groups = [...article.querySelectorAll("section")].filter((section) =>
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

  let rest = [...article.querySelectorAll("ul.airflow-parts a")];
  const fetchRest = async () => {
    const addresses = rest.map((link) => link.href);
    rest = [];
    for (const address of addresses) {
      const reply = await fetch(address).catch(() => null);
      if (!reply || !reply.ok) continue;
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      for (const list of page.querySelectorAll("ul.airflow-index")) {
        const group = list.closest("section:not(:has(h1))") || list;
        for (const item of list.children) item.dataset.fetched = "";
        for (const each of [group, ...group.querySelectorAll("[id]")]) each.removeAttribute("id");
        (groups.at(-1) || items.at(-1).parentElement).parentElement.append(group);
        items = [...items, ...list.children];
        if (group !== list) groups = [...groups, group];
      }
    }
    apply();
  };

  const apply = () => {
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value);
    const filters = text.value.trim() !== "" || wanted.length > 0;
    if (filters && rest.length) fetchRest();
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items) {
      const said = item.textContent.toLowerCase();
      const has = [...item.querySelectorAll(".airflow-badge")].map((badge) => badge.textContent);
      const group = item.closest("section");
      const hidden = ("fetched" in item.dataset && !filters)
        || !words.every((word) => said.includes(word))
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
