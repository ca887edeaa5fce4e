// Offers the published versions, as ../versions.json lists them, in place of the page's own version.

"use strict";

/** The folder of this version: every page says how it gets there. */
const versionRoot = new URL(document.documentElement.dataset.content_root ?? "./", location.href);

/** The published versions; none for a site that is looked at where it was built. */
async function publishedVersions() {
  if (location.protocol === "file:") return [];
  try {
    const reply = await fetch(new URL("../versions.json", versionRoot), { cache: "no-cache" });
    return reply.ok ? await reply.json() : [];
  } catch {
    return [];
  }
}

/** The same page in another version, or that version's first page where it has no such page. */
async function counterpart(entry) {
  const root = new URL(`../${entry.url}`, versionRoot);
  const page = new URL(location.href.slice(versionRoot.href.length), root);
  try {
    const reply = await fetch(page, { method: "HEAD" });
    return reply.ok ? page : root;
  } catch {
    return root;
  }
}

function isOpen(entry) {
  const folder = decodeURIComponent(versionRoot.pathname.split("/").at(-2));
  return entry.url === `${folder}/` || entry.version === folder || entry.aliases.includes(folder);
}

function choice(entries, open) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", "Version of this documentation");
  for (const entry of entries) {
    const text = entry.is_latest ? `${entry.version} (newest)` : entry.version;
    select.add(new Option(text, entry.version, false, entry === open));
  }
  select.addEventListener("change", async () => {
    location.assign(await counterpart(entries[select.selectedIndex]));
  });
  return select;
}

function wayToNewest(newest) {
  const link = document.createElement("a");
  link.textContent = `Newest release: ${newest.version}`;
  link.href = new URL(`../${newest.url}`, versionRoot);
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    location.assign(await counterpart(newest));
  });
  return link;
}

async function offerVersions(place) {
  const entries = await publishedVersions();
  const open = entries.find(isOpen);
  if (!open) return;
  place.replaceChildren(choice(entries, open));
  const newest = entries.find((entry) => entry.is_latest);
  if (newest && newest !== open) place.append(wayToNewest(newest));
}

for (const place of document.querySelectorAll("[data-version-switcher]")) {
  offerVersions(place);
}
