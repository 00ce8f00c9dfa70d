// What is said about a draft: threads of comments, each with the place in the text that it began at.

/** The longest that a quote of the text is kept. */
const QUOTE_CHARACTERS_MAX = 160;

/**
 * @typedef {{from: string, to: string}} Anchor relative positions of Yjs, in base64
 * @typedef {{id: string, userId: string, name: string, text: string, at: string|null, seq: number}} Comment
 * @typedef {{threadId: string, anchor: Anchor|null, comments: Comment[], resolved: boolean}} Thread
 */

/** The threads of one draft. */
export class Threads {
  /** @type {Map<string, Thread>} in the order in which they began */
  #threads = new Map();
  /** @type {{id: string, threadId?: string, anchor?: Anchor, quote?: string, text: string, userId: string, name: string}[]} */
  unsent = [];

  /** @returns {Thread[]} */
  get all() {
    return [...this.#threads.values()];
  }

  /** @returns {Thread[]} those that wait for an end */
  get open() {
    return this.all.filter((thread) => !thread.resolved);
  }

  /**
   * Takes what is stored in place of what was known.
   * @param {{threadId: string, resolved: boolean, comments: any[]}[]} stored
   */
  load(stored) {
    this.#threads.clear();
    for (const thread of stored) {
      for (const comment of thread.comments) this.added(comment);
      this.resolved(thread);
    }
  }

  /**
   * A comment that is under way: it is shown at once.
   * @param {(typeof this.unsent)[number]} comment
   */
  post(comment) {
    this.unsent.push({ ...comment, quote: comment.quote?.slice(0, QUOTE_CHARACTERS_MAX) });
  }

  /** A comment is stored. Heard twice, it is there once. */
  added({ threadId, commentId, userId, name, anchor, text, seq, at }) {
    this.unsent = this.unsent.filter(({ id }) => id !== commentId);
    const thread = this.#threads.get(threadId) ?? { threadId, anchor: anchor ?? null, comments: [], resolved: false };
    this.#threads.set(threadId, thread);
    if (thread.comments.some(({ id }) => id === commentId)) return;
    thread.comments.push({ id: commentId, userId, name: name || userId, text, at: at ?? null, seq: seq ?? 0 });
    thread.comments.sort((one, other) => one.seq - other.seq);
  }

  /** A thread came to an end, or begins again. */
  resolved({ threadId, resolved }) {
    const thread = this.#threads.get(threadId);
    if (thread) thread.resolved = resolved === true;
  }
}
