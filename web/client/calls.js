// The calls that wait for their answers, in the order in which they were made: some are on their way, the others wait
// for a connection. Both together are bounded.

import { fault } from './frames.js';

/** How many calls may wait for their answers at once, and how much they may hold together. */
export const CALLS_MAX = 1_000;
export const CALL_BYTES_MAX = 1024 * 1024;
/** What the server takes in one message (WIRE §0.6). */
export const MESSAGE_BYTES_MAX = 64 * 1024;

/** Closed with one of these, a connection may have ended because of what was sent: it is not sent again. */
const BLAMING_CODES = new Set([1002, 1003, 1007, 1009]);
/** Refusals that pass by themselves. */
const PASSING_CODES = new Set(['RATE_LIMITED', 'RATE_LIMIT_EXCEEDED', 'OVERLOADED', 'STORE_UNAVAILABLE']);
/** Calls about a chat room that store nothing in it, although they speak of a `seq` or are answered with some. */
const STORE_NOTHING = new Set(['chat:message:read', 'chat:message:history', 'chat:room:create']);

/**
 * @typedef {{call: number, event: string, body: string, text: string, bytes: number, timeoutMs: number, until: number,
 *   mayRepeat: boolean, isSent: boolean, stores: boolean, roomId: string|null, ownId: string|null, ifLost: any}} Call
 *   `stores`: what it is answered with may be an entry of a chat room; `roomId`: where the call itself names one
 */

/** The calls of one client. */
export class Calls {
  /** @type {Map<string, Call>} by request id, in the order in which they were made */
  #byRequest = new Map();
  #bytes = 0;
  #envelope;

  /** @param {import('./frames.js').Envelope} envelope */
  constructor(envelope) {
    this.#envelope = envelope;
  }

  /**
   * Takes a call in.
   * @param {{call: number, event: string, data?: any, timeoutMs: number, mayRepeat?: boolean, hasOwnId?: boolean,
   *   ifLost?: any}} asked `hasOwnId`: the `id` in its data is ours alone; `ifLost`: what it is answered with when the
   *   connection is lost, if that does what it asked for
   * @param {number} now
   * @returns {ReturnType<typeof fault>|null} why not
   */
  add({ call, event, data = {}, timeoutMs, mayRepeat = false, hasOwnId = false, ifLost }, now) {
    const body = JSON.stringify(data);
    const text = this.#envelope.encode(event, body, String(call));
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > MESSAGE_BYTES_MAX) {
      const sizes = { limit: MESSAGE_BYTES_MAX, actual: bytes };
      return fault('TOO_LARGE', `a message of ${bytes} bytes is over the limit of ${MESSAGE_BYTES_MAX}`, sizes);
    }
    if (this.#byRequest.size >= CALLS_MAX) return fault('OVERLOADED', `${CALLS_MAX} calls wait for their answers already`);
    if (this.#bytes + bytes > CALL_BYTES_MAX) {
      return fault('OVERLOADED', `calls of ${this.#bytes} bytes wait already, of at most ${CALL_BYTES_MAX}`);
    }
    const stores = event.startsWith('chat:') && !STORE_NOTHING.has(event);
    const roomId = typeof data.roomId === 'string' ? data.roomId : null;
    this.#bytes += bytes;
    this.#byRequest.set(String(call), {
      call,
      event,
      text,
      bytes,
      timeoutMs,
      until: timeoutMs > 0 ? now + timeoutMs : Infinity,
      mayRepeat,
      isSent: false,
      stores,
      roomId,
      ownId: hasOwnId && stores ? data.id : null,
      ifLost,
    });
    return null;
  }

  /**
   * Takes those that are to be sent for sent.
   * @param {boolean} isPaused whether those that may be repeated wait
   * @returns {string[]} their frames
   */
  send(isPaused) {
    const due = [...this.#byRequest.values()].filter((call) => !call.isSent && !(isPaused && call.mayRepeat));
    for (const call of due) call.isSent = true;
    return due.map((call) => call.text);
  }

  /**
   * The call of this request, which is answered with that.
   * @param {string} requestId
   * @returns {Call|undefined}
   */
  take(requestId) {
    const call = this.#byRequest.get(requestId);
    if (!call) return undefined;
    this.#byRequest.delete(requestId);
    this.#bytes -= call.bytes;
    return call;
  }

  /**
   * Keeps a call for later if it may be repeated and its refusal passes.
   * @param {string} requestId
   * @param {{code: string}} error
   * @returns {boolean} whether it is kept
   */
  keep(requestId, error) {
    const call = this.#byRequest.get(requestId);
    if (!call?.mayRepeat || !PASSING_CODES.has(error.code)) return false;
    call.isSent = false;
    return true;
  }

  /**
   * The message that is stored is one of those under way.
   * @param {string} roomId
   * @param {string} id
   * @returns {Call|undefined}
   */
  takeOwn(roomId, id) {
    for (const [requestId, call] of this.#byRequest) {
      if (call.ownId === id && call.roomId === roomId) return this.take(requestId);
    }
    return undefined;
  }

  /**
   * The connection is lost: what may be repeated waits for the next one.
   * @param {number} code
   * @returns {Call[]} what is lost with it
   */
  lose(code) {
    const lost = [];
    for (const [requestId, call] of this.#byRequest) {
      if (!call.isSent) continue;
      call.isSent = false;
      if (!call.mayRepeat || BLAMING_CODES.has(code)) lost.push(this.take(requestId));
    }
    return lost;
  }

  /** @returns {Call[]} all, which are taken out */
  takeAll() {
    return [...this.#byRequest.keys()].map((requestId) => this.take(requestId));
  }

  /**
   * @param {number} now
   * @returns {Call[]} those whose time is over, which are taken out
   */
  takeOverdue(now) {
    const overdue = [...this.#byRequest].filter(([, call]) => call.until <= now);
    return overdue.map(([requestId]) => this.take(requestId));
  }

  /** @returns {number} when the next one's time is over */
  get deadline() {
    let next = Infinity;
    for (const { until } of this.#byRequest.values()) next = Math.min(next, until);
    return next;
  }
}

/** Why a call that was not answered in time is refused. */
export function overdue(event, timeoutMs) {
  return fault('CONNECTION_LOST', `${event} was not answered in ${timeoutMs} ms`, { timeoutMs });
}
