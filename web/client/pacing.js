// When to try again, and when to ask whether anybody is there.

/** The longest pause between two attempts, and the longest that a server that stops may ask for. */
export const RECONNECT_MS_MAX = 30_000;
/** How long a ping may stay without anything heard after it. */
export const PING_WAIT_MS_MAX = 15_000;
/** The pause after a refusal that says nothing of when to come back. */
const REFUSED_MS = 1_000;
/** The longest pause that a refusal may ask for. */
const REFUSED_MS_MAX = 60_000;

/** The pauses between attempts: drawn from a range that doubles with each, so that many clients do not return at once. */
export class Backoff {
  /** Attempts since the last good connection. */
  attempts = 0;
  #notBefore = 0;
  #first;
  #draw;

  /**
   * @param {number} first the longest first pause in ms
   * @param {() => number} draw
   */
  constructor(first, draw) {
    this.#first = first;
    this.#draw = draw;
  }

  /**
   * A server that stops says when to come back.
   * @param {number} now
   * @param {any} afterMs
   */
  holdOff(now, afterMs) {
    this.#notBefore = now + clipped(afterMs, 0, RECONNECT_MS_MAX);
  }

  /** @param {number} now @returns {number} when the next attempt is */
  next(now) {
    const longest = Math.min(RECONNECT_MS_MAX, this.#first * 2 ** this.attempts);
    this.attempts += 1;
    return this.soonest(now) + this.#draw() * longest;
  }

  /** @param {number} now @returns {number} when an attempt may be at the soonest */
  soonest(now) {
    return Math.max(now, this.#notBefore);
  }

  /**
   * @param {any} error a refusal that passes
   * @param {number} refusals how many there were in a row before it
   * @returns {number} the pause after it in ms
   */
  afterRefusal(error, refusals) {
    const spread = Math.min(RECONNECT_MS_MAX, REFUSED_MS * 2 ** refusals);
    return clipped(error.details?.retryAfterMs, REFUSED_MS, REFUSED_MS_MAX) + this.#draw() * spread;
  }
}

/** Whether the other side is there: silence is answered with a ping, and silence after that is the end. */
export class Heartbeat {
  #interval;
  #heardAt = 0;
  #pingedAt = null;

  /** @param {number} interval how long silence may last in ms; 0: for ever */
  constructor(interval) {
    this.#interval = interval > 0 ? interval : Infinity;
  }

  /** @param {number} now */
  heard(now) {
    this.#heardAt = now;
    this.#pingedAt = null;
  }

  /** @param {number} now @returns {'fine'|'ping'|'missed'} */
  check(now) {
    if (now < this.deadline) return 'fine';
    if (this.#pingedAt !== null) return 'missed';
    this.#pingedAt = now;
    return 'ping';
  }

  /** @returns {number} when to check */
  get deadline() {
    return this.#pingedAt === null ? this.#heardAt + this.#interval : this.#pingedAt + PING_WAIT_MS_MAX;
  }
}

function clipped(value, least, most) {
  return Math.min(Math.max(Number(value) || 0, least), most);
}
