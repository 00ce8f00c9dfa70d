// What a room's page shows, in order: stored messages by their number, own ones that are not stored yet at the
// end, and passing notices where they happened. It knows what was heard without a gap, which is what the
// client says when it comes back.

/** Above so many stored messages the oldest are let go; they can be asked for again. */
const MESSAGES_MAX = 2_000;
const NOTICES_MAX = 100;

/**
 * @typedef {{id: string, seq: number, type: string, senderId: string, senderName?: string,
 *   content: unknown, timestamp: string, deliveryStatus: string, metadata?: object}} Message
 * @typedef {{id: string, content: string, trouble: string|null, at: number}} Unsent
 */

/** The messages of one room, as one user sees them. */
export class Timeline {
  /** @type {number|null} the last `seq` heard in order; `null` before the first join */
  heard = null;
  /** Whether older messages can be asked for. */
  hasMore = false;
  /** @type {Unsent[]} */
  unsent = [];
  #userId;
  /** @type {Message[]} by `seq` */
  #messages = [];
  #notices = [];
  #noticesMade = 0;

  /** @param {string} userId whose own messages are known again by their id */
  constructor(userId) {
    this.#userId = userId;
  }

  /** @returns {number} the oldest `seq` held, or the one after the last when none is */
  get oldest() {
    return this.#messages[0]?.seq ?? (this.heard ?? 0) + 1;
  }

  /** @returns {({kind: 'message', key: string, message: Message} | {kind: 'notice', key: string, text: string} |
   *   {kind: 'unsent', key: string, unsent: Unsent})[]} */
  entries() {
    const stored = this.#messages.map((message) => ({ kind: 'message', key: `message ${message.seq}`, seq: message.seq, message }));
    const notices = this.#notices.filter((notice) => notice.seq >= this.oldest - 1);
    const all = [...stored, ...notices].sort((one, other) => one.seq - other.seq);
    return [...all, ...this.unsent.map((unsent) => ({ kind: 'unsent', key: `unsent ${unsent.id}`, unsent }))];
  }

  /**
   * Takes in the answer to a join.
   * @param {{messages: Message[], lastSeq: number, hasMore: boolean, reset?: boolean}} joined
   */
  join({ messages, lastSeq, hasMore, reset }) {
    const isAnew = reset === true || this.heard === null || messages[0]?.seq > this.heard + 1;
    if (isAnew) {
      this.#messages = [];
      this.#notices = [];
      this.hasMore = hasMore === true;
      this.heard = messages.length > 0 ? messages[0].seq - 1 : lastSeq;
    }
    for (const message of messages) this.hear(message);
  }

  /**
   * Takes in a stored message.
   * @param {Message} message
   * @returns {'new'|'known'|'gap'} gap: one before it was never heard, and it is left out
   */
  hear(message) {
    if (this.heard === null || message.seq > this.heard + 1) return 'gap';
    if (message.senderId === this.#userId) this.unsent = this.unsent.filter(({ id }) => id !== message.id);
    if (message.seq <= this.heard) return 'known';
    this.heard = message.seq;
    this.#messages.push(message);
    return 'new';
  }

  /** Lets the oldest go when there are too many. */
  trim() {
    if (this.#messages.length <= MESSAGES_MAX) return;
    this.#messages = this.#messages.slice(-MESSAGES_MAX);
    this.hasMore = true;
  }

  /**
   * Takes in a page of older messages.
   * @param {{messages: Message[], hasMore: boolean}} page
   */
  prepend({ messages, hasMore }) {
    const older = messages.filter((message) => message.seq < this.oldest);
    this.#messages = [...older.sort((one, other) => one.seq - other.seq), ...this.#messages];
    this.hasMore = hasMore === true && older.length > 0;
  }

  /**
   * Adds an own message that is on its way.
   * @param {string} id
   * @param {string} content
   */
  post(id, content) {
    this.unsent.push({ id, content, trouble: null, at: Date.now() });
  }

  /**
   * An own message is stored.
   * @param {string} id
   * @param {{seq: number, timestamp: string, deliveryStatus: string}} answer
   * @param {string} senderName
   * @returns {'new'|'known'|'gap'}
   */
  confirm(id, { seq, timestamp, deliveryStatus }, senderName) {
    const unsent = this.unsent.find((one) => one.id === id);
    if (!unsent) return 'known';
    return this.hear({ id, seq, timestamp, deliveryStatus, type: 'chat', senderId: this.#userId, senderName, content: unsent.content });
  }

  /**
   * An own message was refused; `null` sends it on its way again.
   * @param {string} id
   * @param {string|null} trouble
   */
  mark(id, trouble) {
    const unsent = this.unsent.find((one) => one.id === id);
    if (unsent) unsent.trouble = trouble;
  }

  /**
   * Forgets an own message that was refused.
   * @param {string} id
   */
  discard(id) {
    this.unsent = this.unsent.filter((one) => one.id !== id);
  }

  /**
   * Adds something that passes and is not stored.
   * @param {string} text
   */
  note(text) {
    this.#noticesMade += 1;
    this.#notices.push({ kind: 'notice', key: `notice ${this.#noticesMade}`, seq: this.heard ?? 0, text });
    this.#notices = this.#notices.slice(-NOTICES_MAX);
  }
}
