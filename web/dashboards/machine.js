// A dashboard's client as a state machine, in the manner of `client/machine.js`: facts go in with the time at which
// they happened, orders come out. It holds no socket and no timer, reads no clock and rolls no dice.
//
// What is done here is shown at once, and waits until it is answered. After each loss of the connection the client
// asks for what it missed, with the last `seq` that it heard, and sends what was not answered again, exactly as it
// was. Where no socket can be opened, the same goes over `POST /api/realtime` (WIRE §3.4).

import { Backoff, Heartbeat } from '../client/pacing.js';
import { Board } from './board.js';
import { EARLY_MAX, Missed } from './missed.js';
import { Operations, isContested } from './operations.js';
import { Posts } from './posts.js';
import { Refusals } from './refused.js';
import { Said } from './said.js';
import { resolutionOf, sinceOf, write } from './wire.js';

/** So many attempts in a row without a socket, and requests take its place. */
export const ATTEMPTS_MAX = 2;
export const OPENING_MS_MAX = 15_000;
const RECONNECT_MS = 500;
const HEARTBEAT_MS = 25_000;
/** Codes after which the same again would end the same way (WIRE §0.6). */
const FINAL_CODES = new Set([1000, 1008, 4001]);
/** Refusals of a request after which the same again would end the same way. */
const FINAL_REFUSALS = new Set(['AUTH_FAILED', 'TOKEN_EXPIRED', 'PERMISSION_DENIED', 'ROOM_ACCESS_DENIED', 'NOT_FOUND']);

/**
 * @typedef {'connecting'|'open'|'polling'|'waiting'|'ended'} State
 *   `polling`: there is no socket, and requests go through
 */

/** One client of one dashboard. */
export class Machine {
  /** @type {State} */
  state = 'connecting';
  board = new Board();
  operations;
  /** @type {Map<string, import('./operations.js').Conflict & {isResolving: boolean}>} */
  conflicts = new Map();
  refusals;
  /** Why it has ended. @type {string|null} */
  trouble = null;
  #now = 0;
  #orders = [];
  #backoff;
  #heartbeat = new Heartbeat(HEARTBEAT_MS);
  #isOpen = false;
  #isOpening = false;
  #openingUntil = Infinity;
  #reconnectAt = Infinity;
  #failures = 0;
  #missed = new Missed();
  #asked = 0;
  #said = new Said();
  #posts = new Posts();
  #pausedUntil = 0;

  #userId;

  /**
   * @param {{draw: () => number, userId: string, kept?: import('./operations.js').Operation[]}} settings `draw` gives
   *   a number from 0 to below 1; `kept`: what was done before and not answered,
   *   or refused and not looked at
   */
  constructor({ draw, userId, kept = [] }) {
    this.#userId = userId;
    this.#backoff = new Backoff(RECONNECT_MS, draw);
    this.refusals = new Refusals(kept);
    this.operations = new Operations(kept.filter(({ refusal }) => !refusal));
  }

  /**
   * @param {any} fact
   * @param {number} now in ms
   * @returns {any[]} what follows from it
   */
  handle(fact, now) {
    this.#now = now;
    this.#orders = [];
    this.#take(fact);
    if (this.state !== 'ended') this.#flush();
    this.#order('wait', { until: this.#deadline() });
    return this.#orders;
  }

  #take(fact) {
    switch (fact.fact) {
      case 'connect':
        return this.#open();
      case 'opened':
        return this.#opened();
      case 'message':
        return this.#heard(fact.frame);
      case 'closed':
        return this.#lost(fact.code, fact.reason ?? '');
      case 'offline':
        return this.#abandon('the network is gone');
      case 'online':
        return this.#retry();
      case 'tick':
        return this.#tick();
      case 'posted':
        return this.#posted(fact.answer);
      case 'post_failed':
        return this.#postFailed(fact.error);
      case 'do':
        return this.#do(fact.operation);
      case 'finish':
        return this.operations.finish(fact.id, fact.changes);
      case 'cancel':
        return void this.operations.take(fact.id);
      case 'resolve':
        return this.#resolve(fact);
      case 'dismiss':
        return this.refusals.dismiss(fact.id);
      default:
        throw new TypeError(`no such fact: ${fact.fact}`);
    }
  }

  #order(order, more) {
    this.#orders.push({ order, ...more });
  }

  #deadline() {
    if (this.state === 'ended') return Infinity;
    return Math.min(
      this.#isOpening ? this.#openingUntil : Infinity,
      this.#isOpen || this.#isOpening ? Infinity : this.#reconnectAt,
      this.#isOpen ? Math.min(this.#heartbeat.deadline, this.#missed.until) : Infinity,
      this.#isOpen ? Infinity : Math.max(this.#posts.deadline, this.#pausedUntil),
      this.#pausedUntil > this.#now ? this.#pausedUntil : Infinity,
    );
  }

  #tick() {
    if (this.#isOpening && this.#openingUntil <= this.#now) this.#abandon('it did not open in time');
    if (this.#isOpen && this.#missed.until <= this.#now) this.#abandon('the server did not say what was missed');
    if (this.#isOpen) {
      const heartbeat = this.#heartbeat.check(this.#now);
      if (heartbeat === 'ping') this.#send('PING', {});
      if (heartbeat === 'missed') this.#abandon('nothing was heard');
    }
    if (!this.#isOpen && !this.#isOpening && this.#reconnectAt <= this.#now) this.#open();
  }

  #open() {
    if (this.#isOpen || this.#isOpening) return;
    this.#isOpening = true;
    this.#openingUntil = this.#now + OPENING_MS_MAX;
    this.#reconnectAt = Infinity;
    if (this.state === 'ended') this.state = 'connecting';
    this.trouble = null;
    this.#order('open');
  }

  #opened() {
    this.#isOpening = false;
    this.#isOpen = true;
    this.#heartbeat.heard(this.#now);
    this.#sync();
  }

  #retry() {
    if (this.state === 'ended' || this.#isOpen || this.#isOpening) return;
    this.#reconnectAt = this.#backoff.soonest(this.#now);
    this.#posts.dueAt(this.#now);
    this.#tick();
  }

  #abandon(reason) {
    if (this.#isOpen || this.#isOpening) this.#order('close');
    this.#lost(1006, reason);
  }

  #lost(code, reason) {
    if (!this.#isOpen && !this.#isOpening) return;
    const wasOpen = this.#isOpen && this.state === 'open';
    this.#isOpen = false;
    this.#isOpening = false;
    this.#missed.end();
    if (FINAL_CODES.has(code)) return this.#end(reason || `the connection has ended: ${code}`);
    this.#failures = wasOpen ? 0 : this.#failures + 1;
    this.#reconnectAt = this.#backoff.next(this.#now);
    if (this.#failures === ATTEMPTS_MAX) this.#posts.dueAt(this.#now);
    if (this.state !== 'polling') this.state = 'waiting';
  }

  #end(why) {
    this.state = 'ended';
    this.trouble = why;
    this.#reconnectAt = Infinity;
    this.#posts.end();
  }

  #send(type, payload, id = this.#ownId()) {
    this.#order('send', { frame: { type, id, payload } });
    return id;
  }

  /** Questions of our own are told from operations, whose ids are never so short. */
  #ownId() {
    this.#asked += 1;
    return `ask-${this.#asked}`;
  }

  #sync() {
    const since = this.board.seq;
    this.#missed.asked(this.#send('SYNC_REQUEST', sinceOf(since)), since, this.#now);
  }

  #heard(frame) {
    if (!this.#isOpen) return;
    this.#heartbeat.heard(this.#now);
    const { type, payload, correlationId } = frame;
    switch (type) {
      case 'SYNC_RESPONSE':
        return correlationId === this.#missed.id ? this.#synced(payload) : undefined;
      case 'ACK':
        return this.#acknowledged(correlationId, payload, frame.timestamp);
      case 'NACK':
        return this.#refused(correlationId, payload?.error ?? payload);
      case 'CONFLICT_DETECTED':
        return this.#conflicted(correlationId, payload);
      case 'SYNC_UPDATE':
        this.#tellSaid(payload);
        return Number.isInteger(payload?.seq) ? this.#happened(frame) : undefined;
      case 'server_shutdown':
        return this.#backoff.holdOff(this.#now, payload?.reconnectAfterMs);
      case 'auth:expiring':
        return this.#order('tell', { event: 'expiring', expiresAt: payload?.expiresAt });
      default:
        return Number.isInteger(payload?.seq) ? this.#happened(frame) : undefined;
    }
  }

  #synced(told) {
    const early = this.#missed.end();
    this.state = 'open';
    this.#failures = 0;
    this.#backoff.attempts = 0;
    this.#synchronize(told, this.#missed.since);
    for (const operation of this.operations.sent) this.#order('send', { frame: operation.frame });
    for (const frame of early) this.#happened(frame);
  }

  #synchronize(told, since) {
    if (since !== null && told.seq < since && this.board.seq === since) this.#said.forget();
    this.operations.changed(this.board.sync(told, since));
  }

  /** A backend has spoken. What was missed of that comes behind the answer that has counted it already. */
  #tellSaid({ event, data, seq } = {}) {
    if (this.#said.isNew(seq)) this.#order('tell', { event: 'said', name: event, data });
  }

  /** Somebody else has done something: heard in its place, or after something that was missed. */
  #happened(frame) {
    const { seq } = frame.payload;
    if (this.#missed.isAsked) {
      if (!this.#missed.keep(frame)) this.#abandon(`${EARLY_MAX} updates came before the answer that they go after`);
      return;
    }
    if (seq <= this.board.seq) return;
    if (seq > this.board.seq + 1) {
      this.#sync();
      this.#missed.keep(frame);
      return;
    }
    this.board.seq = seq;
    this.#apply(frame);
  }

  #apply(frame) {
    const { type, payload, userId, timestamp } = frame;
    if (type === 'WIDGET_BATCH') for (const part of payload.operations ?? []) this.#apply({ ...part, userId, timestamp });
    else {
      this.operations.changed(this.board.apply(frame));
      if (payload.widgetId) this.#order('tell', { event: 'changed', widgetId: payload.widgetId });
    }
  }

  // What is done here.

  #do(operation) {
    if (this.operations.isFull && !operation.isBegun) return this.refusals.add(operation, { code: 'OVERLOADED', message: 'too much waits to be sent already' });
    const { widgetId, kind } = operation;
    const known = widgetId === null ? this.board.layout : this.board.widgets.get(widgetId);
    this.operations.add({ ...operation, base: kind === 'restore' ? null : (known?.version ?? 0) });
  }

  #resolve({ id, conflictId, resolution, value }) {
    const conflict = this.conflicts.get(conflictId);
    if (!conflict || conflict.isResolving) return;
    conflict.isResolving = true;
    const { widgetId } = conflict;
    this.operations.add({ id, kind: 'resolve', widgetId, base: null, conflict, resolution, value });
  }

  /** Sends what can be sent. */
  #flush() {
    if (this.#pausedUntil > this.#now) return;
    if (this.#isOpen && this.state === 'open' && !this.#missed.isAsked) {
      for (const operation of this.#written()) this.#order('send', { frame: operation.frame });
      for (const operation of this.operations.again()) this.#order('send', { frame: operation.frame });
    } else if (!this.#isOpen && this.#failures >= ATTEMPTS_MAX && !this.#posts.isUnderWay) {
      const isUrgent = this.state === 'polling' && (this.operations.due().length > 0 || this.operations.again().length > 0);
      if (isUrgent || this.#posts.deadline <= this.#now) this.#post();
    }
  }

  /** Writes what is to be sent next. */
  #written() {
    const { written, isTooLarge } = write(this.operations, this.board);
    for (const { id, error } of isTooLarge) this.#refused(id, error);
    return isTooLarge.length > 0 ? [...written, ...this.#written()] : written;
  }

  #post() {
    this.#written();
    const operations = this.#posts.begin(this.operations.sent, this.board.seq).map(({ frame }) => frame);
    this.#order('post', { body: { type: 'SYNC', ...sinceOf(this.#posts.since), operations } });
  }

  #posted(answer) {
    const { results, sync } = answer ?? {};
    if (!Array.isArray(results)) return this.#postFailed({ code: 'SERVER_ERROR', message: 'the answer says nothing', recoverable: true });
    if (!this.#isOpen) this.state = 'polling';
    if (sync) this.#synchronize(sync, this.#posts.since);
    for (const said of sync?.updates ?? []) this.#tellSaid(said);
    for (const { id, ok, error, conflict, ...told } of results) {
      if (ok) this.#acknowledged(id, told, null);
      else if (conflict) this.#conflicted(id, conflict);
      else this.#refused(id, error);
    }
    this.#posts.answered(this.operations.sent, this.#now);
  }

  #postFailed(error) {
    if (!this.#isOpen && this.#posts.isBlamed(error)) return this.#refused(this.#posts.refused(this.#now), error);
    this.#posts.failed(error, this.#now, this.#backoff);
    if (this.#isOpen) return;
    if (FINAL_REFUSALS.has(error.code)) return this.#end(error.message);
    this.state = 'waiting';
  }

  #acknowledged(id, { version, seq }, timestamp) {
    const operation = this.operations.take(id);
    if (!operation) return;
    const { widgetId, kind, conflict, frame } = operation;
    if (kind === 'resolve') this.conflicts.delete(conflict.conflictId);
    if (!Number.isInteger(version)) return;
    if (this.#isOpen && !this.#missed.isAsked && seq > this.board.seq) {
      const own = { ...frame, payload: { ...frame.payload, version }, userId: this.#userId, timestamp };
      if (seq === this.board.seq + 1 && this.board.applyOwn(own)) this.board.seq = seq;
      else this.#sync();
    }
    this.operations.stored(widgetId, version);
  }

  #refused(id, error) {
    const operation = this.operations.find(id);
    if (!operation) return;
    if (error?.recoverable && error.code !== 'CONFLICT') {
      const refusals = (operation.refusals ?? 0) + 1;
      Object.assign(operation, { refusals, isToRepeat: true });
      this.#pausedUntil = Math.max(this.#pausedUntil, this.#now + this.#backoff.afterRefusal(error, refusals - 1));
      return;
    }
    this.operations.take(id);
    if (operation.kind === 'resolve') {
      this.conflicts.delete(operation.conflict.conflictId);
      if (error?.code === 'NOT_FOUND') return this.#resolvedLate(operation);
    }
    this.refusals.add(operation, error);
  }

  /** The server forgets conflicts after a while: what was decided is then done as a change of its own. */
  #resolvedLate({ id, resolution, value, conflict }) {
    const late = resolutionOf(conflict.operation, resolution, value, this.board);
    if (late) this.#do({ ...late, id: `${id}-late` });
  }

  #conflicted(id, told) {
    const operation = this.operations.take(id);
    if (!operation) return;
    const did = operation.kind === 'resolve' ? operation.conflict.operation : operation;
    if (operation.kind === 'resolve') this.conflicts.delete(operation.conflict.conflictId);
    const { conflictId, baseVersion, fields = [] } = told;
    const current = told.current?.deleted ? null : told.current;
    const conflict = { conflictId, widgetId: did.widgetId, baseVersion, current, fields, operation: did, isResolving: false };
    this.conflicts.set(conflictId, conflict);
    if (did.widgetId !== null) this.operations.changed(this.board.see(current));
    else if (current) this.operations.changed(this.board.lay(current));
    // Widgets that others have moved and we have not are no reason to ask anybody.
    if (did.moves && current && !isContested(did, current)) this.#resolve({ id: `${id}-merged`, conflictId, resolution: 'mine' });
    else this.#order('tell', { event: 'conflict', conflict });
  }
}
