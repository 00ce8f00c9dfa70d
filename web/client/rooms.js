// The rooms that this client is in, and what it has heard in each: what it says when it comes back, and how it knows an
// entry that was told before (WIRE §0.8).

/** How many rooms a client may be in at once. */
export const ROOMS_MAX = 1_000;

/**
 * @typedef {'chat'|'project'|'feed'} Kind
 * @typedef {'out'|'asked'|'in'} Step out: to be joined when there is a connection
 */

/** A room that was joined, or is to be. */
export class Room {
  /** @type {Step} */
  step = 'out';
  /** Whether it was ever joined. */
  wasIn = false;
  /** @type {number|null} the last `seq` heard in order */
  since;
  /** @type {number|null} the same for what everyone is told, in the feed */
  all;
  /** Not to be joined before then. */
  notBefore = 0;
  /** How often in a row joining it was refused. */
  refusals = 0;
  /** @type {string|null} the request that asks to join */
  requestId = null;
  /** @type {{call: number, timeoutMs: number, until: number}[]} calls that wait for it to be joined */
  waiting = [];
  /** @type {{since: number|null, all: number|null}|null} where a caller wants to begin */
  ask = null;
  /** @type {Set<number>} what the answers to own calls brought, ahead of what was heard */
  #own = new Set();

  /**
   * @param {Kind} kind
   * @param {string} id
   */
  constructor(kind, id) {
    this.kind = kind;
    this.id = id;
    this.forgetHeard(null, null);
  }

  /**
   * Begins anew after these.
   * @param {number|null} since
   * @param {number|null} all
   */
  forgetHeard(since, all) {
    this.since = since;
    this.all = all;
    this.#own.clear();
  }

  /** @returns {{event: string, data: object}} the call that joins it */
  get call() {
    const from = this.ask ?? this;
    const since = from.since === null ? {} : { since: from.since };
    const all = from.all === null ? {} : { all: from.all };
    switch (this.kind) {
      case 'chat':
        return { event: 'chat:room:join', data: { roomId: this.id, ...since } };
      case 'project':
        return { event: 'join_project', data: { projectId: this.id, ...since } };
      default:
        return { event: 'feed:join', data: { ...since, ...all } };
    }
  }

  /** @returns {{event: string, data: object}|null} the call that leaves it; a feed nobody leaves */
  get goodbye() {
    switch (this.kind) {
      case 'chat':
        return { event: 'chat:room:leave', data: { roomId: this.id } };
      case 'project':
        return { event: 'leave_project', data: { projectId: this.id } };
      default:
        return null;
    }
  }

  /** The connection is lost, and nobody listens any more. */
  lose() {
    this.step = 'out';
    this.requestId = null;
  }

  /**
   * It is joined.
   * @param {any} answer
   * @returns {{isAnew: boolean, entries: any[]}} whether what was heard before does not continue, and what was not
   *   heard of what the answer brings
   */
  joined(answer) {
    if (this.ask) this.forgetHeard(this.ask.since, this.ask.all);
    this.ask = null;
    const messages = Array.isArray(answer?.messages) ? answer.messages.filter((one) => Number.isInteger(one?.seq)) : [];
    const lastSeq = whole(answer?.lastSeq);
    const hasHole = this.kind === 'chat' && this.since !== null && messages[0]?.seq > this.since + 1;
    const isAnew = answer?.reset === true || answer?.allReset === true || hasHole;
    this.step = 'in';
    this.wasIn = true;
    this.refusals = 0;
    if (this.kind === 'chat' && (isAnew || this.since === null)) {
      this.forgetHeard(messages.length > 0 ? messages[0].seq - 1 : lastSeq, null);
    } else {
      // After a reset the newest page comes as events, and ends with the newest entry.
      this.since = answer?.reset === true ? 0 : (this.since ?? lastSeq);
      if (this.kind === 'feed') this.all = answer?.allReset === true ? 0 : (this.all ?? whole(answer?.allSeq));
    }
    return { isAnew, entries: messages.filter((message) => this.hear(message.seq) === 'new') };
  }

  /**
   * An entry came.
   * @param {number} seq
   * @param {boolean} [isForAll] in the feed: what everyone is told
   * @returns {'new'|'known'|'gap'} gap: something before it was not heard
   */
  hear(seq, isForAll = false) {
    if (this.kind !== 'chat' && this.step !== 'in') {
      // A feed is heard before it is joined. What comes then is told again after the join that says what was heard.
      const from = this.ask ?? this;
      return (isForAll ? from.all : from.since) === null ? 'new' : 'known';
    }
    if (isForAll) {
      if (seq <= this.all) return 'known';
      this.all = seq;
      return 'new';
    }
    // What comes before the answer to a first join is in that answer again.
    if (this.since === null || seq <= this.since) return 'known';
    // Some entries of a project are not for everybody: there, a number left out says nothing.
    if (this.kind === 'chat' && seq > this.since + 1) return 'gap';
    this.since = seq;
    const isOwn = this.#own.delete(seq);
    while (this.#own.delete(this.since + 1)) this.since += 1;
    return isOwn ? 'known' : 'new';
  }

  /**
   * An own call was answered with this entry's number. It is not heard otherwise, except in catching up.
   * @param {number} seq
   * @returns {boolean} whether something before it was not heard, although it should have been
   */
  confirm(seq) {
    if (this.since === null || seq <= this.since) return false;
    if (seq === this.since + 1) {
      this.hear(seq);
      return false;
    }
    this.#own.add(seq);
    return this.step === 'in';
  }
}

/** All rooms of one client. */
export class Rooms {
  /** @type {Map<string, Room>} */
  #byKey = new Map();

  /** @returns {Room[]} in the order in which they were joined first */
  get all() {
    return [...this.#byKey.values()];
  }

  /**
   * @param {boolean} isOpen whether there is a connection
   * @returns {number} when a room is to be joined, or somebody has waited long enough for it
   */
  deadline(isOpen) {
    let next = Infinity;
    for (const { step, notBefore, waiting } of this.#byKey.values()) {
      if (isOpen && step === 'out') next = Math.min(next, notBefore);
      for (const { until } of waiting) next = Math.min(next, until);
    }
    return next;
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   * @returns {Room|undefined}
   */
  find(kind, id) {
    return this.#byKey.get(`${kind} ${id}`);
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   * @returns {Room|null} `null`: there are too many
   */
  findOrAdd(kind, id) {
    const known = this.find(kind, id);
    if (known) return known;
    if (this.#byKey.size >= ROOMS_MAX) return null;
    const room = new Room(kind, id);
    this.#byKey.set(`${kind} ${id}`, room);
    return room;
  }

  /** @param {Room} room */
  forget(room) {
    this.#byKey.delete(`${room.kind} ${room.id}`);
  }

  /**
   * An event came: whose entry it is, if it is one.
   * @param {string} event
   * @param {any} data
   * @returns {{room: Room, isForAll: boolean}|null} `null`: it is no entry, or of no room that was joined
   */
  whose(event, data) {
    if (!Number.isInteger(data?.seq)) return null;
    // What is stored in a chat room has an author, whatever it is called; a moved read cursor has none.
    if (event.startsWith('chat:') || (typeof data.senderId === 'string' && typeof data.deliveryStatus === 'string')) {
      const room = typeof data.senderId === 'string' ? this.find('chat', data.roomId) : undefined;
      return room ? { room, isForAll: false } : null;
    }
    const isOfFeed = data.feed === 'user' || data.feed === 'all';
    const room = isOfFeed ? this.find('feed', '') : this.find('project', data.projectId);
    return room ? { room, isForAll: data.feed === 'all' } : null;
  }
}

function whole(value) {
  return Number.isInteger(value) ? value : 0;
}
