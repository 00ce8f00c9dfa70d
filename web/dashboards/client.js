// Drives the machine: a WebSocket, requests, a timer, and a place to keep what is not answered over a reload.

import { postJson } from '../rest.js';
import { socketAddress, user } from '../session.js';
import { Machine } from './machine.js';

const KEY = 'parlor.dashboard.';
const LOST = 1006;
/** The longest that a timer of the browser takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A dashboard that is open. */
export class DashboardClient {
  machine;
  #id;
  #key;
  #hooks;
  #socket = null;
  #timer = 0;
  /** What is kept for this tab, as it was written last. */
  #kept = '';
  #isUnkept = false;

  /**
   * @param {string} id
   * @param {{changed: () => void, told: (event: any) => void}} hooks
   */
  constructor(id, hooks) {
    const userId = user()?.id ?? '';
    this.#id = id;
    this.#key = KEY + JSON.stringify([userId, id]);
    this.#hooks = hooks;
    this.machine = new Machine({ draw: Math.random, userId, kept: this.#read() });
    addEventListener('offline', this.#offline);
    addEventListener('online', this.#online);
    document.addEventListener('visibilitychange', this.#woken);
    this.#take({ fact: 'connect' });
  }

  /** Has others told from now on. */
  listen(hooks) {
    this.#hooks = hooks;
    if (this.#isUnkept) hooks.told({ event: 'unkept' });
  }

  /**
   * Does something to the dashboard.
   * @param {Partial<import('./operations.js').Operation>} operation
   * @returns {string} its id
   */
  do(operation) {
    const id = crypto.randomUUID();
    this.#take({ fact: 'do', operation: { ...operation, id } });
    return id;
  }

  /** What was begun with a form is done. */
  finish(id, changes) {
    this.#take({ fact: 'finish', id, changes });
  }

  /** What was begun with a form is left. */
  cancel(id) {
    this.#take({ fact: 'cancel', id });
  }

  /**
   * Ends a conflict.
   * @param {string} conflictId
   * @param {'mine'|'theirs'|'merged'} resolution
   * @param {any} [value]
   */
  resolve(conflictId, resolution, value) {
    this.#take({ fact: 'resolve', id: crypto.randomUUID(), conflictId, resolution, value });
  }

  /** What was refused was looked at. @param {string} id */
  dismiss(id) {
    this.#take({ fact: 'dismiss', id });
  }

  /** Connects at once. */
  connectNow() {
    this.#take({ fact: this.machine.state === 'ended' ? 'connect' : 'online' });
  }

  /** Leaves; what is not answered is kept for this tab. */
  close() {
    removeEventListener('offline', this.#offline);
    removeEventListener('online', this.#online);
    document.removeEventListener('visibilitychange', this.#woken);
    clearTimeout(this.#timer);
    this.listen({ changed: () => {}, told: () => {} });
    this.#drop();
    this.#take = () => {};
  }

  #offline = () => this.#take({ fact: 'offline' });
  #online = () => this.#take({ fact: 'online' });
  #woken = () => {
    if (document.visibilityState === 'visible') this.#take({ fact: 'tick' });
  };

  #take = (fact) => {
    for (const order of this.machine.handle(fact, performance.now())) this.#carryOut(order);
    this.#keep();
    this.#hooks.changed();
  };

  #carryOut(order) {
    switch (order.order) {
      case 'open':
        return this.#open();
      case 'close':
        return this.#drop();
      case 'send':
        return this.#socket?.send(JSON.stringify(order.frame));
      case 'post':
        return this.#post(order.body);
      case 'wait':
        return this.#wait(order.until);
      case 'tell':
        return this.#hooks.told(order);
      default:
        throw new TypeError(`no such order: ${order.order}`);
    }
  }

  #open() {
    this.#drop();
    const socket = new WebSocket(socketAddress('/api/realtime', { dashboardId: this.#id }));
    this.#socket = socket;
    socket.onopen = () => this.#take({ fact: 'opened' });
    socket.onmessage = ({ data }) => {
      const frame = read(data);
      if (frame && typeof frame.type === 'string') this.#take({ fact: 'message', frame });
    };
    socket.onclose = ({ code, reason }) => {
      this.#drop();
      this.#take({ fact: 'closed', code: code || LOST, reason });
    };
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  async #post(body) {
    let fact;
    try {
      fact = { fact: 'posted', answer: await postJson('/api/realtime', { ...body, dashboardId: this.#id }) };
    } catch (error) {
      fact = { fact: 'post_failed', error };
    }
    this.#take(fact);
  }

  #wait(until) {
    clearTimeout(this.#timer);
    if (until === Infinity) return;
    const ms = Math.min(Math.max(0, until - performance.now()), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.#take({ fact: 'tick' }), ms + 1);
  }

  #keep() {
    const undecided = [...this.machine.conflicts.values()].filter(({ isResolving }) => !isResolving);
    const stale = undecided.map(({ operation, baseVersion }) => ({ ...operation, base: baseVersion, isStale: true, frame: null }));
    const kept = [...stale, ...this.machine.operations.pending, ...this.machine.refusals.all];
    const text = kept.length > 0 ? JSON.stringify(kept) : '';
    if (this.#kept === text) return;
    this.#kept = text;
    try {
      if (text) sessionStorage.setItem(this.#key, text);
      else sessionStorage.removeItem(this.#key);
    } catch {
      // The browser's storage is full or not to be had: what is done goes on, and is told to be in danger once.
      if (!this.#isUnkept) this.#hooks.told({ event: 'unkept' });
      this.#isUnkept = true;
    }
  }

  #read() {
    try {
      this.#kept = sessionStorage.getItem(this.#key) ?? '';
    } catch {
      return [];
    }
    const kept = read(this.#kept);
    return Array.isArray(kept) ? kept : [];
  }
}

function read(text) {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}
