/* Zoom of drawings that do not fit, and filters of the list of DAGs. Everything is there without it. */
(() => {
  "use strict";
  const make = (tag, values) => Object.assign(document.createElement(tag), values);

  for (const frame of document.querySelectorAll(".airflow-graph-frame")) {
    const svg = frame.querySelector("svg.airflow-graph");
    if (!svg) continue;
    const width = svg.viewBox.baseVal.width;
    const height = svg.viewBox.baseVal.height;
    const whole = () => Math.min(1, (frame.clientWidth - 24) / width, (frame.clientHeight - 24) / height);
    if (frame.scrollWidth <= frame.clientWidth && frame.scrollHeight <= frame.clientHeight) continue;
    let scale = svg.getBoundingClientRect().width / width;  // the styles make it a little smaller where that is enough
    const zoom = (to, x = frame.clientWidth / 2, y = frame.clientHeight / 2) => {
      const before = scale;
      scale = Math.min(3, Math.max(0.08, to));
      const left = (frame.scrollLeft + x) * scale / before - x;
      const top = (frame.scrollTop + y) * scale / before - y;
      svg.style.minWidth = "0";
      svg.style.maxWidth = "none";
      svg.setAttribute("width", width * scale);
      svg.setAttribute("height", height * scale);
      frame.scrollTo(left, top);
    };
    const bar = make("div", { className: "airflow-zoom" });
    for (const [text, label, act] of [
      ["−", "Zoom out", () => zoom(scale / 1.3)],
      ["+", "Zoom in", () => zoom(scale * 1.3)],
      ["Fit", "Show all of it", () => zoom(whole())],
      ["1:1", "Show it at its own size", () => zoom(1)],
    ]) {
      const button = make("button", { type: "button", textContent: text, title: label });
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      bar.append(button);
    }
    frame.before(bar);
    frame.classList.add("airflow-zoomable");
    if (svg.querySelector(".frame")) {  // groups begin in the middle of a side
      zoom(Math.max(whole(), 0.5));
      const down = height > width;
      frame.scrollTo(
        down ? (frame.scrollWidth - frame.clientWidth) / 2 : 0,
        down ? 0 : (frame.scrollHeight - frame.clientHeight) / 2,
      );
    }
    frame.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = frame.getBoundingClientRect();
      zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    let held = null;
    let moved = false;
    frame.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      held = [event.clientX, event.clientY, frame.scrollLeft, frame.scrollTop];
      moved = false;
    });
    window.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [x, y, left, top] = held;
      moved ||= Math.hypot(event.clientX - x, event.clientY - y) > 4;
      if (!moved) return;
      frame.classList.add("dragged");
      frame.scrollTo(left + x - event.clientX, top + y - event.clientY);
    });
    window.addEventListener("pointerup", () => { held = null; frame.classList.remove("dragged"); });
    frame.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
    frame.addEventListener("dragstart", (event) => event.preventDefault());
  }

  const table = document.querySelector("table.airflow-dags");
  const rows = table ? [...table.tBodies[0].rows] : [];
  if (rows.length < 8) return;
  const form = make("form", { className: "airflow-dag-filter" });
  form.addEventListener("submit", (event) => event.preventDefault());
  const labelled = (text, control) => {
    const label = make("label", { textContent: `${text} ` });
    label.append(control);
    form.append(label);
    return control;
  };
  const words = labelled("Filter", make("input", { type: "search" }));
  const facets = [
    ["Owner", ".airflow-badge-owner"], ["Tag", ".airflow-badge-tag"],
    ["Schedule", ".airflow-schedule"], ["Asset", ".airflow-badge-asset"],
  ].map(([name, selector]) => {
    const said = (row) => [...row.querySelectorAll(selector)].map((each) => each.textContent);
    const values = [...new Set(rows.flatMap(said))].sort();
    const select = make("select", {});
    select.append(new Option("any", ""), ...values.map((value) => new Option(value, value)));
    if (values.length > 1) labelled(name, select);
    return (row) => !select.value || said(row).includes(select.value);
  });
  const count = make("output", {});
  form.append(count);
  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !(wanted.every((word) => text.includes(word)) && facets.every((fits) => fits(row)));
      shown += row.hidden ? 0 : 1;
    }
    count.value = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", apply);
  (table.closest(".table-wrapper") || table).before(form);
  apply();
})();
