// A connection to Parlor for the machine in `machine.js`: it owns the WebSocket, the timer, the clock and the dice, and
// turns the machine's orders into promises and events.

import { Machine } from './machine.js';

/** How long a call may take unless it says otherwise. */
const CALL_MS_MAX = 10_000;
/** The longest that a timer can be set for. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const LOST = 1006;
/** Events whose data is an error. */
const ERROR_EVENTS = new Set(['error', 'chat:error', 'refresh_failed']);

/** Why a call was refused, as WIRE §0.5 has it. */
export class ParlorError extends Error {
  /** @param {{code: string, message: string, details?: any, recoverable?: boolean}} error */
  constructor({ code, message, details, recoverable = false }) {
    super(message);
    this.name = 'ParlorError';
    this.code = code;
    this.recoverable = recoverable;
    if (details !== undefined) this.details = details;
  }
}

/** One connection that comes back. */
export class Client {
  #address;
  #token;
  #query;
  #WebSocket;
  #callTimeout;
  #machine;
  #socket = null;
  /** Counts openings, so that a token that comes too late opens nothing. */
  #opening = 0;
  #timer;
  #until = Infinity;
  #orders = [];
  #isPerforming = false;
  #callsMade = 0;
  /** @type {Map<number, {resolve: (data: any) => void, reject: (error: Error) => void}>} */
  #calls = new Map();
  #connecting = [];
  /** @type {Map<string, Set<(data: any, event?: string) => void>>} */
  #handlers = new Map();
  #listensToNetwork = false;

  /**
   * @param {{url?: string, endpoint?: string, token: string|(() => string|Promise<string>), query?: () => object,
   *   WebSocket?: typeof WebSocket, callTimeout?: number} & Partial<import('./machine.js').Settings>} options
   */
  constructor({ url, endpoint = '/api/connect', token, query, WebSocket = globalThis.WebSocket, callTimeout = CALL_MS_MAX, ...settings }) {
    if (!WebSocket) throw new TypeError('there is no WebSocket here: hand one in as the option WebSocket');
    this.#address = addressOf(url, endpoint, 'ws');
    this.#token = token;
    this.#query = query ?? (() => ({}));
    this.#WebSocket = WebSocket;
    this.#callTimeout = callTimeout;
    this.#machine = new Machine({ draw: Math.random, canRefresh: typeof token === 'function', ...settings });
  }

  /** @returns {import('./machine.js').State} */
  get state() {
    return this.#machine.state;
  }

  /** @returns {Promise<void>} kept when it is open, broken when it has ended for good before */
  connect() {
    if (this.state === 'open') return Promise.resolve();
    const open = new Promise((resolve, reject) => this.#connecting.push({ resolve, reject }));
    // Whoever does not wait for it hears of its end by the event.
    open.catch(() => {});
    this.#listenToNetwork();
    this.#handle({ fact: 'connect' });
    return open;
  }

  /** Ends it, and forgets the rooms. */
  disconnect() {
    this.#handle({ fact: 'disconnect' });
  }

  /**
   * Calls the server.
   * @param {string} event
   * @param {object} [data]
   * @param {{timeout?: number, repeat?: boolean, ownId?: boolean}} [options] `repeat`: doing it twice does no harm, so
   *   it is sent again when the connection was lost
   * @returns {Promise<any>} what it answers
   * @throws {ParlorError}
   */
  call(event, data, { timeout = this.#callTimeout, repeat = isStoredOnce(event, data), ownId = false } = {}) {
    return this.#ask((call) => ({ fact: 'call', call, event, data, timeoutMs: timeout, mayRepeat: repeat, hasOwnId: ownId }));
  }

  /**
   * Joins a room, and again after each reconnection.
   * @param {import('./rooms.js').Kind} kind
   * @param {string} id
   * @param {{since?: number, all?: number, timeout?: number}} [options]
   * @returns {Promise<any>}
   */
  join(kind, id, { since, all, timeout = this.#callTimeout } = {}) {
    return this.#ask((call) => ({ fact: 'join', call, kind, id, since, all, timeoutMs: timeout }));
  }

  /**
   * Leaves a room.
   * @param {import('./rooms.js').Kind} kind
   * @param {string} id
   * @returns {Promise<any>}
   */
  leave(kind, id) {
    return this.#ask((call) => ({ fact: 'leave', call, kind, id, timeoutMs: this.#callTimeout }));
  }

  /**
   * Renews the token while connected; `auth:refreshed` or `refresh_failed` follows.
   * @param {string} token
   */
  refresh(token) {
    if (typeof this.#token !== 'function') this.#token = token;
    this.#handle({ fact: 'token', token });
  }

  /**
   * Has the handler called at each such event; `*` is every event.
   * @param {string} event
   * @param {(data: any, event: string) => void} handler
   * @returns {() => void} takes it away again
   */
  on(event, handler) {
    if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
    this.#handlers.get(event).add(handler);
    return () => this.off(event, handler);
  }

  /**
   * @param {string} event
   * @param {(data: any, event: string) => void} handler
   */
  off(event, handler) {
    const handlers = this.#handlers.get(event);
    handlers?.delete(handler);
    if (handlers?.size === 0) this.#handlers.delete(event);
  }

  /**
   * The same for the next such event only.
   * @param {string} event
   * @param {(data: any, event: string) => void} handler
   * @returns {() => void}
   */
  once(event, handler) {
    const off = this.on(event, (data, name) => {
      off();
      handler(data, name);
    });
    return off;
  }

  #ask(fact) {
    return new Promise((resolve, reject) => {
      this.#callsMade += 1;
      this.#calls.set(this.#callsMade, { resolve, reject });
      try {
        this.#handle(fact(this.#callsMade));
      } catch (error) {
        this.#calls.delete(this.#callsMade);
        reject(error);
      }
    });
  }

  #handle(fact) {
    this.#orders.push(...this.#machine.handle(fact, performance.now()));
    if (this.#isPerforming) return;
    this.#isPerforming = true;
    try {
      for (let order = this.#orders.shift(); order; order = this.#orders.shift()) this.#perform(order);
    } finally {
      this.#isPerforming = false;
    }
  }

  #perform({ order, ...more }) {
    switch (order) {
      case 'open':
        this.#open();
        break;
      case 'send':
        if (this.#socket?.readyState === 1) this.#socket.send(more.text);
        break;
      case 'close':
        this.#drop(more.code, more.reason);
        break;
      case 'resolve':
        this.#settle(more.call)?.resolve(more.data);
        break;
      case 'reject':
        this.#settle(more.call)?.reject(new ParlorError(more.error));
        break;
      case 'emit':
        this.#emit(more.event, more.data);
        break;
      case 'wait':
        this.#wait(more.until);
        break;
      case 'refresh':
        this.#renew();
        break;
      default:
        throw new TypeError(`no such order: ${order}`);
    }
  }

  #settle(call) {
    const settle = this.#calls.get(call);
    this.#calls.delete(call);
    return settle;
  }

  async #open() {
    this.#opening += 1;
    const opening = this.#opening;
    try {
      const token = await this.#askToken();
      if (opening !== this.#opening) return;
      const address = new URL(this.#address);
      // Refused with a status, a browser would only know that it failed.
      for (const [name, value] of Object.entries({ refuse: 'close', ...this.#query() })) address.searchParams.set(name, value);
      this.#listen(new this.#WebSocket(address.href, ['bearer', token]));
    } catch (error) {
      if (opening === this.#opening) this.#handle({ fact: 'closed', code: LOST, reason: error.message });
    }
  }

  #listen(socket) {
    this.#socket = socket;
    socket.onopen = () => this.#handle({ fact: 'opened' });
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#handle({ fact: 'message', text: data });
    };
    // Not every WebSocket tells of a close after an attempt that failed.
    socket.onerror = ({ message = '' }) => this.#lost(LOST, message);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  #lost(code, reason) {
    this.#drop(1000, '');
    this.#handle({ fact: 'closed', code, reason });
  }

  #drop(code, reason) {
    const socket = this.#socket;
    this.#opening += 1;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {};
    socket.close(code, reason);
  }

  #askToken() {
    return typeof this.#token === 'function' ? this.#token() : this.#token;
  }

  async #renew() {
    try {
      this.#handle({ fact: 'token', token: await this.#askToken() });
    } catch (error) {
      this.#handle({ fact: 'token_failed', message: `no token: ${error.message}` });
    }
  }

  #wait(until) {
    this.#until = until;
    clearTimeout(this.#timer);
    if (until === Infinity) return;
    const pause = Math.min(Math.max(until - performance.now(), 0), TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      // A timer may go off a little early, and one that is set for long before its time.
      if (performance.now() < this.#until) this.#wait(this.#until);
      else this.#handle({ fact: 'tick' });
    }, pause);
  }

  #emit(event, data) {
    const told = ERROR_EVENTS.has(event) && data?.code ? new ParlorError(data) : event === 'refused' ? refused(data) : data;
    if (event === 'open') for (const { resolve } of this.#connecting.splice(0)) resolve();
    if (event === 'closed') {
      this.#listenToNetwork(false);
      const error = new ParlorError({ code: 'CONNECTION_LOST', message: `not connected: ${data.code} ${data.reason}`, details: data, recoverable: true });
      for (const { reject } of this.#connecting.splice(0)) reject(error);
    }
    for (const name of [event, '*']) tellAll(this.#handlers.get(name), told, event);
  }

  #listenToNetwork(listens = true) {
    if (listens === this.#listensToNetwork || typeof globalThis.addEventListener !== 'function') return;
    this.#listensToNetwork = listens;
    const change = listens ? globalThis.addEventListener : globalThis.removeEventListener;
    change.call(globalThis, 'online', this.#networkChanged);
    change.call(globalThis, 'offline', this.#networkChanged);
  }

  #networkChanged = ({ type }) => this.#handle({ fact: type });
}

/**
 * Calls all handlers. What one throws is a fault of the app's: it is told where such faults are, and nothing stops for it.
 * @param {Iterable<(data: any, event: string) => void>} [handlers]
 * @param {any} data
 * @param {string} event
 */
export function tellAll(handlers = [], data, event) {
  for (const handler of [...handlers]) {
    try {
      handler(data, event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/**
 * The address of an endpoint on a server.
 * @param {string} [url] `ws:` or `http:`, of the server or of the endpoint; the page's own server without it
 * @param {string} endpoint
 * @param {'ws'|'http'} scheme
 * @returns {string}
 */
export function addressOf(url = globalThis.location?.origin, endpoint, scheme) {
  const address = new URL(url);
  const isSecure = address.protocol === 'wss:' || address.protocol === 'https:';
  address.protocol = `${scheme}${isSecure ? 's' : ''}:`;
  const path = address.pathname.replace(/\/+$/, '');
  address.pathname = path.endsWith(endpoint) ? path : path + endpoint;
  address.hash = '';
  return address.href;
}

/** @returns {string} an id that nobody else has */
export function freshId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function isStoredOnce(event, data) {
  return event === 'chat:message:send' && typeof data?.id === 'string';
}

function refused({ error, ...room }) {
  return { ...room, error: new ParlorError(error) };
}
