// Titles of all pages and objects, and what a reader may have meant by a name that is not among them.

/** Rows of title, address and kind, as the build wrote them. */
export async function loadNames(root) {
  const reply = await fetch(new URL("objects.json", root));
  const rows = reply.ok ? await reply.json() : [];
  return rows.map(([title, address, kind]) => ({ title, url: new URL(address, root), kind }));
}

/** The names that fit best, and none that fit badly: exact, beginning, part of it, then near misses. */
export function closestNames(names, text, limit) {
  const wanted = plain(text);
  if (wanted.length < 2) return [];
  return names
    .map((name) => ({ name, score: fit(plain(name.title), wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.name.title.length - b.name.title.length)
    .slice(0, limit)
    .map(({ name }) => name);
}

function plain(text) {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
}

function fit(title, wanted) {
  if (title === wanted) return 4;
  if (title.startsWith(wanted)) return 3;
  if (wanted.length > 2 && title.includes(wanted)) return 2;
  const allowed = slips(wanted);
  // A slip may be in the first letters of a long name, while the rest is not typed yet.
  const near = Math.min(distance(title, wanted, allowed), distance(title.slice(0, wanted.length), wanted, allowed));
  return near <= allowed ? 1 - near / 10 : 0;
}

/** How many slips of the finger a word of this length may have. */
function slips(word) {
  return word.length < 4 ? 0 : word.length < 8 ? 1 : 2;
}

/** The word of a list that differs least; undefined where none is near. */
export function closestWord(words, wanted) {
  let best;
  let allowed = slips(wanted);
  for (const word of words) {
    const near = distance(word, wanted, allowed);
    if (near <= allowed) {
      best = word;
      allowed = near - 1;
      if (allowed < 0) break;
    }
  }
  return best;
}

/** Letters to insert, remove, replace or swap; more than the limit where that is passed. */
export function distance(one, other, limit) {
  if (Math.abs(one.length - other.length) > limit) return limit + 1;
  let before = [];
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1];
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        next[j] = Math.min(next[j], before[j - 2] + 1);
      }
    }
    if (Math.min(...next) > limit) return limit + 1;
    [before, row] = [row, next];
  }
  return row[other.length];
}
