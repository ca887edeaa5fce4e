// On the page that is shown for an address that leads nowhere: what its last part may have meant.

"use strict";

{
  const place = document.currentScript.src;

  const suggest = async (list) => {
    const { loadNames, closestNames } = await import(new URL("airflow-names.js", place));
    const asked = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
    const name = asked.replace(/\.(html|md)$/, "").split(".").at(-1);
    for (const found of closestNames(await loadNames(new URL("../", place)), name, 5)) {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = found.url;
      link.textContent = found.title;
      item.append(link, found.kind ? ` (${found.kind})` : "");
      list.append(item);
    }
    list.parentElement.hidden = list.childElementCount === 0;
  };

  for (const list of document.querySelectorAll("[data-airflow-suggestions]")) {
    if (location.protocol !== "file:") suggest(list);
  }
}
