// What backends have said to a dashboard, each told once: it may come live, behind the answer to a question for what
// was missed, and in the answer to a request.

/** How many are known again. */
const REMEMBERED_MAX = 1_000;

/** The places in the log at which backends spoke, as far as that was heard. */
export class Said {
  #places = new Set();

  /**
   * @param {number|undefined} seq none where it is not stored, and is said once
   * @returns {boolean} whether it is heard for the first time
   */
  isNew(seq) {
    if (!Number.isInteger(seq)) return true;
    if (this.#places.has(seq)) return false;
    this.#places.add(seq);
    if (this.#places.size > REMEMBERED_MAX) this.#places.delete(this.#places.values().next().value);
    return true;
  }

  /** The log begins anew, and so do the places in it. */
  forget() {
    this.#places.clear();
  }
}
