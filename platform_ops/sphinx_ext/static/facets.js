/* Filters of index pages. The lists are complete without this file; it hides what does not match.
   A list that has several pages is filtered as a whole: the others are fetched once someone turns to
   the filters. */
(() => {
  "use strict";
  let items = [...document.querySelectorAll("ul.airflow-index > li")];
  if (items.length < 8) return;
  const article = items[0].closest("article") || document.body;
  let groups = [...article.querySelectorAll("section")].filter((section) =>
    section.querySelector(":scope > ul.airflow-index") && !section.querySelector(":scope > h1"));

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
  const heading = (group) => group.querySelector("h2, h3").firstChild.textContent;
  const boxes = [];
  const count = document.createElement("output");
  // What there is to choose from: more of it once the list's other pages are here.
  const offer = () => {
    const titles = [...new Set(groups.map(heading))].filter((title) =>
      ![...system.options].some((option) => option.value === title));
    if (groups.length > 1 && titles.length) {
      if (!system.options.length) {
        system.append(new Option("all", ""));
        field("Of ", system);
      }
      system.append(...titles.map((title) => new Option(title, title)));
    }
    const marks = items.flatMap((item) =>
      [...item.querySelectorAll(".airflow-badge")].map((badge) => badge.textContent));
    for (const mark of [...new Set(marks)].sort()) {
      if (boxes.some((box) => box.value === mark)) continue;
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value: mark });
      boxes.push(field(` ${mark} `, box));
    }
    bar.append(count);
  };
  offer();

  let rest = [...article.querySelectorAll("ul.airflow-parts a")];
  const fetchRest = async () => {
    const addresses = rest.map((link) => link.href);
    rest = [];
    const replies = await Promise.all(addresses.map((address) => fetch(address)
      .then((reply) => (reply.ok ? reply.text() : "")).catch(() => "")));
    for (const reply of replies) {
      const page = new DOMParser().parseFromString(reply, "text/html");
      for (const list of page.querySelectorAll("ul.airflow-index")) {
        const group = list.closest("section:not(:has(h1))") || list;
        for (const item of list.children) item.dataset.fetched = "";
        for (const each of [group, ...group.querySelectorAll("[id]")]) each.removeAttribute("id");
        (groups.at(-1) || items.at(-1).parentElement).parentElement.append(group);
        items = [...items, ...list.children];
        if (group !== list) groups = [...groups, group];
      }
    }
    offer();
    apply();
  };

  const apply = () => {
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value);
    const filters = text.value.trim() !== "" || wanted.length > 0 || system.value !== "";
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items) {
      const said = item.textContent.toLowerCase();
      const has = [...item.querySelectorAll(".airflow-badge")].map((badge) => badge.textContent);
      const group = item.closest("section");
      const hidden = ("fetched" in item.dataset && !filters)
        || !words.every((word) => said.includes(word))
        || !wanted.every((mark) => has.includes(mark))
        || (system.value !== "" && heading(group) !== system.value);
      item.hidden = hidden;
      shown += hidden ? 0 : 1;
    }
    for (const group of groups) group.hidden = !group.querySelector("li:not([hidden])");
    count.value = `${shown} of ${items.length}`;
  };
  bar.addEventListener("input", apply);
  bar.addEventListener("focusin", () => { if (rest.length) fetchRest(); });
  const first = groups.length ? groups[0] : items[0].parentElement;
  first.before(bar);
  apply();
})();
