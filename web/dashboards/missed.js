// The question for what was missed, and what comes before its answer.

/** How long the answer may take. */
export const SYNC_MS_MAX = 15_000;
/** How many updates may come before the answer that they go after. */
export const EARLY_MAX = 1_000;

/** One question at a time. */
export class Missed {
  /** @type {string|null} */
  id = null;
  /** The last entry that was heard when it was asked. @type {number|null} */
  since = null;
  until = Infinity;
  #early = [];

  /** @returns {boolean} whether an answer is waited for */
  get isAsked() {
    return this.id !== null;
  }

  /**
   * It is asked.
   * @param {string} id
   * @param {number|null} since
   * @param {number} now
   */
  asked(id, since, now) {
    Object.assign(this, { id, since, until: now + SYNC_MS_MAX });
    this.#early = [];
  }

  /** Keeps what goes after the answer. @returns {boolean} whether that is not too much */
  keep(frame) {
    this.#early.push(frame);
    return this.#early.length <= EARLY_MAX;
  }

  /** It is answered, or never will be. @returns {any[]} what goes after it */
  end() {
    const early = this.#early;
    Object.assign(this, { id: null, until: Infinity });
    this.#early = [];
    return early;
  }
}
