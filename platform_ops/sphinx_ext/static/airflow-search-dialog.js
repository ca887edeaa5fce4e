// The search dialog: names as they are typed, then what Pagefind finds in the text, filtered.
// Everything is a plain list of links: arrows move between them, Enter follows, Escape closes.

import { closestNames, closestWord, loadNames } from "./airflow-names.js";

const SHOWN = 12;
const NAMES = 5;
const LABELS = { kind: "Kind", package: "Package", owner: "Owner", deferrable: "Deferrable" };

let search;

/** Show the dialog, made when it is first asked for. */
export async function openSearch(text, root) {
  search ??= new Search(root);
  await search.open(text);
}

class Search {
  constructor(root) {
    this.root = root;
    this.turn = 0;
    this.dialog = element("dialog", { className: "airflow-search", ariaLabel: "Search" });
    this.field = element("input", { type: "search", placeholder: "Search this site", ariaLabel: "Search this site" });
    this.field.autocomplete = "off";
    this.field.spellcheck = false;
    this.filters = element("div", { className: "airflow-search-filters" });
    this.status = element("p", { className: "airflow-search-status" });
    this.status.setAttribute("role", "status");
    this.results = element("ul", { className: "airflow-search-results" });
    const close = element("button", { type: "button", textContent: "Close", className: "airflow-search-close" });
    const head = element("div", { className: "airflow-search-head" });
    head.append(this.field, close);
    this.dialog.append(head, this.filters, this.status, this.results);
    close.addEventListener("click", () => this.dialog.close());
    this.field.addEventListener("input", () => this.look());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog || event.target.closest(".airflow-search-results a")) this.dialog.close();
    });
    document.body.append(this.dialog);
  }

  async open(text) {
    if (!this.dialog.open) this.dialog.showModal();
    if (text) this.field.value = text;
    this.field.select();
    this.loaded ??= this.load();
    await this.loaded;
    await this.look();
  }

  async load() {
    const known = fetch(new URL("pagefind/words.json", this.root)).then((reply) => reply.json());
    const engine = import(new URL("pagefind/pagefind.js", this.root));
    const [pagefind, names, { words, replaced, later }] = await Promise.all([engine, loadNames(this.root), known]);
    Object.assign(this, { pagefind, names, words, replaced: new Set(replaced) });
    const options = { baseUrl: this.root.pathname, excerptLength: 22 };
    await pagefind.options(options);
    await pagefind.init();
    if (later) await pagefind.mergeIndex(new URL("pagefind/later/", this.root).href, options);
    this.offerFilters(await this.pagefind.filters());
  }

  offerFilters(found) {
    for (const [name, label] of Object.entries(LABELS)) {
      const values = Object.entries(found[name] ?? {});
      if (values.length < 2 && name !== "deferrable") continue;
      if (!values.length) continue;
      const select = element("select", { name, ariaLabel: label });
      select.add(new Option(`${label}: any`, ""));
      for (const [value, count] of values) select.add(new Option(`${value} (${count})`, value));
      select.addEventListener("change", () => this.look());
      this.filters.append(select);
    }
  }

  chosen() {
    const selects = [...this.filters.querySelectorAll("select")];
    return Object.fromEntries(selects.filter(({ value }) => value).map(({ name, value }) => [name, value]));
  }

  /** Search for what is in the field; an answer that a later key has overtaken is dropped. */
  async look() {
    const turn = (this.turn += 1);
    const text = this.field.value.trim();
    const filters = this.chosen();
    const filtered = Object.keys(filters).length > 0;
    if (!this.pagefind) return;
    if (!text && !filtered) {
      this.show([], "");
      return;
    }
    const { found, meant } = await this.find(text, filters);
    const pages = await Promise.all(found.slice(0, SHOWN).map((result) => result.data()));
    if (turn !== this.turn) return;
    const names = filtered ? [] : closestNames(this.names, text, NAMES);
    const seen = new Set(names.map(({ url }) => url.pathname));
    const rows = [...names.map(nameRow), ...pages.filter(({ url }) => !seen.has(url)).map(pageRow)];
    const count = `${found.length} ${found.length === 1 ? "page" : "pages"}`;
    const said = meant ? `No page has “${text}”; ${count} for “${meant}”` : count;
    this.show(rows, rows.length ? said : `Nothing for “${text}”`);
  }

  /** What Pagefind finds; words that no page has are taken for the nearest ones that the site has. */
  async find(text, filters) {
    const asked = text.toLowerCase();
    const meant = asked.split(/\s+/).map((word) => (this.knows(word) ? word : closestWord(this.words, word) ?? word)).join(" ");
    if (meant !== asked) {
      const found = await this.ask(meant, filters);
      if (found.length) return { found, meant };
    }
    return { found: await this.ask(text || null, filters) };
  }

  /** Each page once, and none as it was before the last edit. */
  async ask(text, filters) {
    const { results } = await this.pagefind.search(text, { filters });
    const pages = new Map(results.map((result) => [result.id, result]));
    return [...pages.values()].filter(({ id }) => !this.replaced.has(id));
  }

  /** Whether a word is one of the site's, or the beginning of one; names with dots and digits pass. */
  knows(word) {
    return !/^\p{L}{4,}$/u.test(word) || this.words.some((each) => each.startsWith(word));
  }

  show(rows, said) {
    this.results.replaceChildren(...rows);
    this.status.textContent = said;
  }

  key(event) {
    const links = [...this.results.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && links.length && document.activeElement.tagName !== "SELECT") {
      links[Math.min(at + 1, links.length - 1)].focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      (links[at - 1] ?? this.field).focus();
    } else if (event.key === "Enter" && document.activeElement === this.field && links.length) {
      links[0].click();
    } else {
      return;
    }
    event.preventDefault();
  }
}

function nameRow({ title, url, kind }) {
  const link = element("a", { href: url.href });
  link.append(element("strong", { textContent: title }));
  if (kind) link.append(" ", element("span", { className: "airflow-badge", textContent: kind }));
  return row(link);
}

function pageRow({ url, meta, excerpt, sub_results: parts }) {
  const part = parts?.find((each) => each.url !== url);
  const link = element("a", { href: (parts?.[0] ?? { url }).url });
  link.append(element("strong", { textContent: meta.title }));
  if (part && parts[0] === part) link.append(element("span", { textContent: ` › ${part.title}` }));
  // Pagefind escapes the text of pages, and marks what it found.
  link.append(element("span", { className: "airflow-search-excerpt", innerHTML: (parts?.[0] ?? { excerpt }).excerpt }));
  return row(link);
}

function row(link) {
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
