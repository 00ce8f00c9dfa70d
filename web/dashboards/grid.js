// Where widgets lie: on a grid of twelve columns, none on another. What is stored may say anything; what is shown is
// worked out from it in the same way everywhere.

export const COLUMNS = 12;
export const ROWS_MAX = 1_000;
const SIZE = { w: 4, h: 3 };

/** @typedef {{x: number, y: number, w: number, h: number}} Place */

/**
 * The places of these widgets. Who has none gets the first that is free.
 * @param {string[]} ids
 * @param {Record<string, any>} stored
 * @returns {Map<string, Place>}
 */
export function arrange(ids, stored) {
  const known = ids.filter((id) => isPlace(stored[id])).map((id) => [id, clipped(stored[id])]);
  const settled = settle(known);
  for (const id of ids) if (!settled.has(id)) settled.set(id, freePlace(settled, SIZE));
  return settled;
}

/**
 * The places after one was moved or resized: it gets its place, and who is in its way moves down.
 * @param {Map<string, Place>} places
 * @param {string} id
 * @param {Place} to
 * @returns {Map<string, Place>}
 */
export function moved(places, id, to) {
  const others = [...places].filter(([other]) => other !== id);
  return settle(others, [id, clipped(to)]);
}

/**
 * The first place that is free for a widget of this size, row by row.
 * @param {Map<string, Place>} places
 * @param {{w: number, h: number}} size
 * @returns {Place}
 */
export function freePlace(places, { w, h }) {
  const taken = [...places.values()];
  for (let y = 0; y < ROWS_MAX; y += 1) {
    for (let x = 0; x + w <= COLUMNS; x += 1) {
      const place = { x, y, w, h };
      if (!taken.some((other) => overlap(place, other))) return place;
    }
  }
  return { x: 0, y: ROWS_MAX, w, h };
}

/**
 * What differs between two arrangements, as what was moved and where it was.
 * @param {Map<string, Place>} before
 * @param {Map<string, Place>} after
 * @param {Record<string, any>} stored
 */
export function difference(before, after, stored) {
  const ids = [...after.keys()].filter((id) => !samePlace(before.get(id), after.get(id)) || !samePlace(stored[id], after.get(id)));
  return {
    moves: Object.fromEntries(ids.map((id) => [id, after.get(id)])),
    before: Object.fromEntries(ids.map((id) => [id, stored[id] ?? null])),
  };
}

/** @returns {number} how many rows there are */
export function rowsOf(places) {
  return Math.max(0, ...[...places.values()].map(({ y, h }) => y + h));
}

/** Those that lie further up go first; the one that was moved before all. */
function settle(entries, first = null) {
  const sorted = [...entries].sort(([one, a], [other, b]) => a.y - b.y || a.x - b.x || (one < other ? -1 : 1));
  const settled = new Map(first ? [first] : []);
  for (const [id, place] of sorted) {
    const at = { ...place };
    for (let under = lowest(settled, at); under !== null; under = lowest(settled, at)) at.y = under;
    settled.set(id, at);
  }
  return settled;
}

/** The row below whatever lies here, if anything does. */
function lowest(settled, place) {
  const under = [...settled.values()].filter((other) => overlap(place, other)).map(({ y, h }) => y + h);
  return under.length > 0 ? Math.min(...under) : null;
}

function overlap(one, other) {
  return one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h;
}

function samePlace(one, other) {
  return one?.x === other?.x && one?.y === other?.y && one?.w === other?.w && one?.h === other?.h;
}

function isPlace(place) {
  return ['x', 'y', 'w', 'h'].every((name) => Number.isFinite(place?.[name]));
}

function clipped({ x, y, w, h }) {
  const within = (value, least, most) => Math.min(Math.max(Math.round(value), least), most);
  const width = within(w, 1, COLUMNS);
  return { x: within(x, 0, COLUMNS - width), y: within(y, 0, ROWS_MAX), w: width, h: within(h, 1, 40) };
}
