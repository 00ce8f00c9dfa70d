// Requests in the place of a socket (WIRE §3.4): what goes into the next one, when it is due, and what follows when one
// is refused as a whole.

import { bytesOf } from './wire.js';

/** How often is asked for news where there is no socket. */
export const POLL_MS = 3_000;
/** How many bytes of operations go into one request, whose body holds 1 MiB. */
export const POST_BYTES_MAX = 1_000_000;
/** Refusals of a request that are about what is in it. */
const BLAMING_CODES = new Set(['TOO_LARGE', 'PROTOCOL_ERROR', 'CLIENT_ERROR']);

/** @typedef {import('./operations.js').Operation} Operation */

/** The requests of one client: one at a time. */
export class Posts {
  isUnderWay = false;
  /** The last entry of the log that was heard when the one under way was made. @type {number|null} */
  since = null;
  #at = Infinity;
  #failures = 0;
  /** @type {string[]} what the one under way, or the last, carries */
  #carried = [];
  /** What was in a request that was refused as a whole: sent one by one, to find what it was refused for. */
  #suspects = new Set();

  /** @returns {number} when the next is due */
  get deadline() {
    return this.isUnderWay ? Infinity : this.#at;
  }

  /** The next is due then, if not before. @param {number} at */
  dueAt(at) {
    this.#at = Math.min(this.#at, at);
  }

  /** No more of them. */
  end() {
    this.#at = Infinity;
  }

  /**
   * Begins the next.
   * @param {Operation[]} sent those that are written and not answered
   * @param {number|null} since
   * @returns {Operation[]} those that go into it
   */
  begin(sent, since) {
    const carried = this.#fitting(sent);
    Object.assign(this, { isUnderWay: true, since });
    this.#at = Infinity;
    this.#carried = carried.map(({ id }) => id);
    return carried;
  }

  /**
   * It was answered. What did not fit into it goes next.
   * @param {Operation[]} sent those that are not answered even so
   * @param {number} now
   */
  answered(sent, now) {
    this.isUnderWay = false;
    this.#failures = 0;
    for (const id of this.#carried) this.#suspects.delete(id);
    this.#at = sent.some(({ id }) => !this.#carried.includes(id)) ? now : now + POLL_MS;
  }

  /**
   * It failed.
   * @param {any} error
   * @param {number} now
   * @param {import('../client/pacing.js').Backoff} backoff
   */
  failed(error, now, backoff) {
    this.isUnderWay = false;
    this.#at = now + backoff.afterRefusal(error, this.#failures);
    this.#failures += 1;
  }

  /** @returns {boolean} whether that is about what the request carries, and would be the same for the same again */
  isBlamed(error) {
    return BLAMING_CODES.has(error.code) && !error.recoverable && this.#carried.length > 0;
  }

  /**
   * It was refused for what it carries. What it carries is tried one by one.
   * @param {number} now
   * @returns {string|null} the one that it was refused for, where there was one only
   */
  refused(now) {
    this.isUnderWay = false;
    this.#at = now;
    if (this.#carried.length === 1) return this.#carried[0];
    this.#suspects = new Set(this.#carried);
    return null;
  }

  /** What was refused before goes last, so that it is in nobody's way. */
  #fitting(sent) {
    const waiting = [...sent].sort((one, other) => (one.refusals ?? 0) - (other.refusals ?? 0));
    if (waiting.length > 0 && this.#suspects.has(waiting[0].id)) return [waiting[0]];
    let bytes = 0;
    return waiting.filter(({ id, frame }, place) => {
      bytes += bytesOf(frame) + 1;
      return place === 0 || (bytes <= POST_BYTES_MAX && !this.#suspects.has(id));
    });
  }
}
