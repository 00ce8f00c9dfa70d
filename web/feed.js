// What is known of one project's events: those that are kept by their place, and of those that pass the newest.

/** The oldest are left out of what is shown above so many. */
const SHOWN_MAX = 500;

/**
 * @typedef {{event: string, seq: number|null, at: string|null, data: object, progress: number|null}} Entry
 */

/** A project's feed. */
export class Feed {
  /** @type {Entry[]} in the order in which they happened */
  entries = [];
  #heard = 0;

  /**
   * Takes in an event. What was heard before is left out.
   * @param {string} event
   * @param {{seq?: number, at?: string, projectId?: string}} told
   * @returns {boolean} whether something is new
   */
  hear(event, { seq = null, at = null, projectId: _, ...data }) {
    if (event === 'joined_project' || event === 'left_project') return false;
    if (seq !== null && seq <= this.#heard) return false;
    this.#heard = seq ?? this.#heard;
    const progress = seq === null ? percent(data.progress ?? data.percent) : null;
    const entry = { event, seq, at, data, progress };
    const before = seq === null ? this.entries.findIndex((known) => known.seq === null && isSame(known, entry)) : -1;
    if (before >= 0) this.entries[before] = entry;
    else this.entries.push(entry);
    if (this.entries.length > SHOWN_MAX) this.entries.shift();
    return true;
  }
}

/** Whether two signals tell of the same thing, as far as it says what it is about. */
function isSame(one, other) {
  const about = ({ data }) => data.exportId ?? data.id ?? null;
  return one.event === other.event && about(one) === about(other);
}

function percent(value) {
  const number = Number(value);
  if (!Number.isFinite(number)) return 0;
  return Math.min(Math.max(number <= 1 && number > 0 ? number * 100 : number, 0), 100);
}
