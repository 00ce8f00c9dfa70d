// What is said about a draft: threads of comments, each with the place in the text that it began at.

/** The longest that a quote of the text is kept. */
const QUOTE_CHARACTERS_MAX = 160;

/**
 * @typedef {{from: string, to: string}} Anchor relative positions of Yjs, in base64
 * @typedef {{id: string, userId: string, name: string, text: string, at: string|null, seq: number}} Comment
 * @typedef {{threadId: string, anchor: Anchor|null, comments: Comment[], resolved: boolean}} Thread
 * @typedef {{id: string, threadId?: string, anchor?: Anchor, quote?: string, text: string, userId: string, name: string,
 *   refusal: string|null}} Unsent a comment that is not known to be stored
 * @typedef {{id: string, threadId: string, resolved: boolean, refusal: string|null}} Ending that a thread is to end, or
 *   to begin again
 */

/** The threads of one draft. */
export class Threads {
  /** @type {Map<string, Thread>} */
  #threads = new Map();
  /** @type {Unsent[]} */
  unsent = [];
  /** @type {Map<string, Ending>} by thread */
  endings = new Map();
  /** What was heard of ends since the list was asked for. @type {Map<string, boolean>} */
  #meanwhile = new Map();

  /** @returns {Thread[]} in the order in which they began */
  get all() {
    return [...this.#threads.values()].sort((one, other) => one.comments[0].seq - other.comments[0].seq);
  }

  /** @returns {Thread[]} those that wait for an end */
  get open() {
    return this.all.filter((thread) => !thread.resolved);
  }

  /** @returns {boolean} whether something of ours is not known to be stored */
  get isUnsaved() {
    return this.unsent.length + this.endings.size > 0;
  }

  /** @returns {boolean} whether something of ours was refused, and waits for somebody to decide */
  get isRefused() {
    return this.#own.some(({ refusal }) => refusal !== null);
  }

  /** @param {string} threadId @returns {boolean} whether that is so in one thread */
  isRefusedIn(threadId) {
    return this.#own.some((own) => own.refusal !== null && own.threadId === threadId);
  }

  /** @returns {{comments: Unsent[], endings: Ending[]}} what is to be sent, each until it is answered */
  get waiting() {
    const waits = ({ refusal }) => refusal === null;
    return { comments: this.unsent.filter(waits), endings: [...this.endings.values()].filter(waits) };
  }

  /**
   * The list is asked for. What is heard from now on may be newer than what it says.
   * @returns {object} what the answer is known from
   */
  asked() {
    this.#meanwhile = new Map();
    return this.#meanwhile;
  }

  /**
   * Takes in what is stored. What was heard and does not stand in the list was stored after it was made.
   * @param {{threadId: string, resolved: boolean, comments: any[]}[]} stored
   * @param {object} asked what `asked` gave; an answer that a later question overtook tells nothing
   */
  load(stored, asked) {
    if (asked !== this.#meanwhile) return;
    for (const { threadId, resolved, comments } of stored) {
      for (const comment of comments) this.added(comment);
      const thread = this.#threads.get(threadId);
      if (thread) this.resolved({ threadId, resolved: this.#meanwhile.get(threadId) ?? resolved });
    }
  }

  /**
   * A comment that is under way: it is shown at once.
   * @param {Omit<Unsent, 'refusal'>} comment
   */
  post(comment) {
    this.unsent.push({ ...comment, quote: comment.quote?.slice(0, QUOTE_CHARACTERS_MAX), refusal: null });
  }

  /**
   * A thread is to end, or to begin again.
   * @param {Omit<Ending, 'refusal'>} ending
   */
  end(ending) {
    this.endings.set(ending.threadId, { ...ending, refusal: null });
  }

  /**
   * Something of ours was refused: it is not sent again unless somebody says so.
   * @param {string} id
   * @param {string} why
   * @returns {boolean} whether it was ours
   */
  refused(id, why) {
    const own = this.#own.find((one) => one.id === id);
    if (own) own.refusal = why;
    return own !== undefined;
  }

  /** What was refused is to be tried again. @param {string} id */
  again(id) {
    const own = this.#own.find((one) => one.id === id);
    if (own) own.refusal = null;
  }

  /** What was refused is given up. @param {string} id */
  discard(id) {
    this.unsent = this.unsent.filter((comment) => comment.id !== id);
    for (const [threadId, ending] of this.endings) if (ending.id === id) this.endings.delete(threadId);
  }

  get #own() {
    return [...this.unsent, ...this.endings.values()];
  }

  /** A comment is stored. Heard twice, it is there once. */
  added({ threadId, commentId, userId, name, anchor, text, seq, at }) {
    this.unsent = this.unsent.filter(({ id }) => id !== commentId);
    const thread = this.#threads.get(threadId) ?? { threadId, anchor: anchor ?? null, comments: [], resolved: false };
    thread.anchor ??= anchor ?? null;
    this.#threads.set(threadId, thread);
    if (thread.comments.some(({ id }) => id === commentId)) return;
    thread.comments.push({ id: commentId, userId, name: name || userId, text, at: at ?? null, seq: seq ?? 0 });
    thread.comments.sort((one, other) => one.seq - other.seq);
  }

  /** A thread came to an end, or begins again. */
  resolved({ threadId, resolved }) {
    const thread = this.#threads.get(threadId);
    if (thread) thread.resolved = resolved === true;
    this.#meanwhile.set(threadId, resolved === true);
    if (this.endings.get(threadId)?.resolved === (resolved === true)) this.endings.delete(threadId);
  }
}
