// The client's state machine. Facts go in with the time at which they happened (a socket opened, a message came, the
// app calls, time passed), orders come out (open a socket, send this, answer that call, tell the app). It holds no
// socket and no timer, reads no clock and rolls no dice: time and chance are handed in. `client.js` drives it.
//
// A connection that is lost is opened again after a pause drawn at random from a range that doubles with each failure.
// Then every room is joined again with the last `seq` heard in it, and the calls that may be repeated are sent again.

import { Calls, overdue } from './calls.js';
import { PLAIN, fault, isFault } from './frames.js';
import { Backoff, Heartbeat, PING_WAIT_MS_MAX } from './pacing.js';
import { ROOMS_MAX, Room, Rooms } from './rooms.js';

/** How long opening may take, with asking for the token. */
export const OPENING_MS_MAX = 15_000;
/** A connection that held this long was a good one, even if nothing was heard over it. */
export const STEADY_MS = 5_000;
/** The pause before a token is asked for again that could not be had or was refused. */
export const REFRESH_PAUSE_MS = 10_000;

/** Codes after which the same again would end the same way: finished, refused, superseded (WIRE §0.6). */
const FINAL_CODES = new Set([1000, 1008, 4001, 4401, 4403]);
const LOST = 1006;
const HEARTBEAT_MISSED = 4000;

/** What the app hears from the client itself; a server's event of such a name comes as `server:…`. */
const OWN_EVENTS = new Set(['connecting', 'open', 'waiting', 'closed', 'reset', 'rejoined', 'refused', 'refresh_failed', '*']);

/**
 * @typedef {'idle'|'connecting'|'open'|'waiting'|'closed'} State
 * @typedef {{draw: () => number, envelope?: import('./frames.js').Envelope, autoReconnect?: boolean,
 *   reconnectAttempts?: number, reconnectDelay?: number, heartbeatInterval?: number, canRefresh?: boolean}} Settings
 */

/** One client's side of one connection after the other. */
export class Machine {
  /** @type {State} */
  state = 'idle';
  #settings;
  #calls;
  #rooms = new Rooms();
  #now = 0;
  #orders = [];
  #requests = 0;
  #backoff;
  #heartbeat;
  #openingUntil = Infinity;
  /** @type {number|null} since when the socket is open */
  #openedAt = null;
  #reconnectAt = Infinity;
  #pausedUntil = 0;
  #refreshAt = Infinity;
  #refreshId = null;
  #toldDeadline = Infinity;

  /** @param {Settings} settings `draw` gives a number from 0 to below 1 */
  constructor({ draw, envelope = PLAIN, autoReconnect = true, reconnectAttempts = Infinity, reconnectDelay = 1_000, ...more }) {
    const { heartbeatInterval = 30_000, canRefresh = false } = more;
    this.#settings = { envelope, autoReconnect, reconnectAttempts, canRefresh };
    this.#backoff = new Backoff(reconnectDelay, draw);
    this.#heartbeat = new Heartbeat(heartbeatInterval);
    this.#calls = new Calls(envelope);
  }

  /**
   * Takes in a fact.
   * @param {{fact: string, [more: string]: any}} fact
   * @param {number} now in ms, never less than before
   * @returns {{order: string, [more: string]: any}[]} what to do, in this order
   */
  handle(fact, now) {
    this.#now = now;
    this.#orders = [];
    this.#take(fact);
    this.#flush();
    const deadline = this.#deadline();
    if (deadline !== this.#toldDeadline) this.#order('wait', { until: deadline });
    this.#toldDeadline = deadline;
    return this.#orders;
  }

  #take(fact) {
    switch (fact.fact) {
      case 'connect':
        return this.#connect();
      case 'disconnect':
        return this.#disconnect();
      case 'opened':
        return this.#opened();
      case 'message':
        return this.#heard(fact.text);
      case 'closed':
        return this.#lose(fact.code, fact.reason ?? '');
      case 'offline':
        return this.#abandon(LOST, 'the network is gone');
      case 'online':
        if (this.state === 'waiting') this.#reconnectAt = this.#backoff.soonest(this.#now);
        return this.#tick();
      case 'tick':
        return this.#tick();
      case 'call':
        return this.#call(fact);
      case 'join':
        return this.#join(fact);
      case 'leave':
        return this.#leave(fact);
      case 'token':
        return this.#refresh(fact.token);
      case 'token_failed':
        return this.#refreshFailed(fault('AUTH_FAILED', fact.message));
      default:
        throw new TypeError(`no such fact: ${fact.fact}`);
    }
  }

  get #isOpen() {
    return this.#openedAt !== null;
  }

  #order(order, more) {
    this.#orders.push({ order, ...more });
  }

  #send(event, data, requestId) {
    this.#order('send', { text: this.#settings.envelope.encode(event, JSON.stringify(data), requestId) });
  }

  #tell(event, data) {
    this.#order('emit', { event, data });
  }

  #reject(call, error) {
    this.#order('reject', { call, error });
  }

  #deadline() {
    const isOpen = this.#isOpen;
    return Math.min(
      this.state === 'connecting' ? this.#openingUntil : Infinity,
      this.state === 'waiting' ? this.#reconnectAt : Infinity,
      isOpen ? this.#heartbeat.deadline : Infinity,
      isOpen ? this.#refreshAt : Infinity,
      isOpen && this.#pausedUntil > this.#now ? this.#pausedUntil : Infinity,
      this.#calls.deadline,
      this.#rooms.deadline(isOpen),
    );
  }

  #tick() {
    for (const { call, event, timeoutMs } of this.#calls.takeOverdue(this.#now)) this.#reject(call, overdue(event, timeoutMs));
    for (const room of this.#rooms.all) this.#endOverdueJoins(room);
    if (this.state === 'waiting' && this.#reconnectAt <= this.#now) this.#open();
    if (this.state === 'connecting' && this.#openingUntil <= this.#now) this.#abandon(LOST, `not open after ${OPENING_MS_MAX} ms`);
    if (!this.#isOpen) return;
    if (this.#refreshAt <= this.#now) {
      this.#refreshAt = Infinity;
      this.#order('refresh');
    }
    const heartbeat = this.#heartbeat.check(this.#now);
    if (heartbeat === 'ping') this.#send('ping', {}, 'ping');
    if (heartbeat === 'missed') this.#abandon(HEARTBEAT_MISSED, `nothing heard ${PING_WAIT_MS_MAX} ms after a ping`);
  }

  #connect() {
    if (this.state === 'open' || this.state === 'connecting') return;
    if (this.state !== 'waiting') this.#backoff.attempts = 0;
    this.#open();
  }

  #open() {
    this.state = 'connecting';
    this.#openingUntil = this.#now + OPENING_MS_MAX;
    this.#tell('connecting', { attempt: this.#backoff.attempts });
    this.#order('open');
  }

  #opened() {
    if (this.state !== 'connecting') return;
    this.#openedAt = this.#now;
    this.#heartbeat.heard(this.#now);
    this.#pausedUntil = 0;
    this.#refreshAt = Infinity;
    for (const room of this.#rooms.all) room.notBefore = 0;
    this.#flush();
    // A server lets in before it refuses: the first thing heard shows that one is let in, so something is asked.
    if (this.#orders.length === 0) this.#send('ping', {}, 'ping');
  }

  #disconnect() {
    const goes = this.state !== 'idle' && this.state !== 'closed';
    if (goes && this.state !== 'waiting') this.#order('close', { code: 1000, reason: '' });
    if (goes) this.#end(1000, 'disconnected');
    for (const room of this.#rooms.all) this.#rooms.forget(room);
  }

  /** Gives a connection up before its socket does. */
  #abandon(code, reason) {
    if (this.state !== 'open' && this.state !== 'connecting') return;
    this.#order('close', { code: HEARTBEAT_MISSED, reason });
    this.#lose(code, reason);
  }

  #lose(code, reason) {
    if (this.state !== 'open' && this.state !== 'connecting') return;
    const { autoReconnect, reconnectAttempts } = this.#settings;
    if (this.#isOpen && this.#now - this.#openedAt >= STEADY_MS) this.#backoff.attempts = 0;
    this.#openedAt = null;
    this.#loseAnswers(code, reason);
    if (FINAL_CODES.has(code) || !autoReconnect) return this.#end(code, reason);
    if (this.#backoff.attempts >= reconnectAttempts) return this.#end(code, `given up after ${reconnectAttempts} attempts`);
    this.#reconnectAt = this.#backoff.next(this.#now);
    this.state = 'waiting';
    this.#tell('waiting', { code, reason, attempt: this.#backoff.attempts, delayMs: this.#reconnectAt - this.#now });
  }

  #loseAnswers(code, reason) {
    for (const { call, event, ifLost } of this.#calls.lose(code)) {
      if (ifLost !== undefined) this.#order('resolve', { call, data: ifLost });
      else this.#reject(call, fault('CONNECTION_LOST', `the connection was lost before ${event} was answered`, { code, reason }));
    }
    this.#refreshId = null;
    for (const room of this.#rooms.all) room.lose();
  }

  #end(code, reason) {
    this.state = 'closed';
    this.#openedAt = null;
    const error = fault('CONNECTION_LOST', `the connection has ended: ${code} ${reason}`.trim(), { code, reason });
    for (const { call } of this.#calls.takeAll()) this.#reject(call, error);
    for (const room of this.#rooms.all) {
      room.lose();
      this.#endWaiting(room, error);
      if (!room.wasIn) this.#rooms.forget(room);
    }
    this.#tell('closed', { code, reason });
  }

  #heard(text) {
    const frame = this.#settings.envelope.decode(text);
    if (!this.#isOpen || !frame) return;
    this.#heartbeat.heard(this.#now);
    if (this.state === 'connecting') {
      this.state = 'open';
      this.#tell('open', {});
    }
    const { event, data, requestId } = frame;
    if (event === 'server_shutdown') this.#backoff.holdOff(this.#now, data?.reconnectAfterMs);
    else this.#backoff.attempts = 0;
    if (requestId !== null) return this.#answered(requestId, event, data);
    if (event === 'auth:expiring' && this.#settings.canRefresh) this.#order('refresh');
    const entry = this.#rooms.whose(event, data);
    if (entry) return this.#entryCame(entry, event, data);
    if (event === 'chat:system:notification' && data?.kind === 'room_closed') this.#roomClosed(data.roomId);
    this.#tell(OWN_EVENTS.has(event) ? `server:${event}` : event, data);
  }

  #entryCame({ room, isForAll }, event, data) {
    switch (room.hear(data.seq, isForAll)) {
      case 'new':
        if (!this.#isOwn(room, data)) this.#tell(OWN_EVENTS.has(event) ? `server:${event}` : event, data);
        break;
      case 'gap':
        if (room.step === 'in') room.step = 'out';
        break;
      default:
    }
  }

  /** Whether an entry answers one of our calls, because it came while the answer is lost or on its way. */
  #isOwn(room, { id, seq, timestamp, deliveryStatus }) {
    const call = room.kind === 'chat' ? this.#calls.takeOwn(room.id, id) : undefined;
    if (call) this.#order('resolve', { call: call.call, data: { id, seq, timestamp, deliveryStatus } });
    return call !== undefined;
  }

  #answered(requestId, event, data) {
    const isError = isFault(event, data);
    const room = this.#rooms.all.find((one) => one.requestId === requestId);
    if (room) return isError ? this.#joinRefused(room, data) : this.#joined(room, data);
    if (requestId === this.#refreshId) {
      this.#refreshId = null;
      return isError ? this.#refreshFailed(data) : this.#tell('auth:refreshed', data);
    }
    if (isError && this.#calls.keep(requestId, data)) {
      this.#pausedUntil = this.#now + this.#backoff.afterRefusal(data, 0);
      return;
    }
    const call = this.#calls.take(requestId);
    if (!call) return;
    if (isError) return this.#reject(call.call, data);
    const own = call.stores && Number.isInteger(data?.seq) ? this.#rooms.find('chat', call.roomId ?? data.roomId) : undefined;
    if (own?.confirm(data.seq)) own.step = 'out';
    this.#order('resolve', { call: call.call, data });
  }

  #call({ call, ...asked }) {
    if (this.state === 'closed' || this.state === 'idle') return this.#reject(call, fault('CONNECTION_LOST', 'not connected'));
    const refusal = this.#calls.add({ call, ...asked }, this.#now);
    if (refusal) this.#reject(call, refusal);
  }

  #join({ call, kind, id, since = null, all = null, timeoutMs }) {
    if (this.state === 'closed' || this.state === 'idle') return this.#reject(call, fault('CONNECTION_LOST', 'not connected'));
    const room = this.#rooms.findOrAdd(kind, id);
    if (!room) return this.#reject(call, fault('OVERLOADED', `in ${ROOMS_MAX} rooms already`));
    room.waiting.push({ call, timeoutMs, until: timeoutMs > 0 ? this.#now + timeoutMs : Infinity });
    if (room.step === 'asked') return;
    room.ask = { since, all };
    room.step = 'out';
    room.notBefore = 0;
  }

  #joined(room, answer) {
    room.requestId = null;
    const waiting = room.waiting.splice(0);
    const { isAnew, entries } = room.joined(answer);
    const { kind, id } = room;
    for (const { call } of waiting) this.#order('resolve', { call, data: answer });
    const told = entries.filter((entry) => !this.#isOwn(room, entry));
    if (waiting.length > 0) return;
    const { messages, ...rest } = answer ?? {};
    if (isAnew) return this.#tell('reset', { kind, id, answer });
    this.#tell('rejoined', { kind, id, answer: rest });
    for (const entry of told) this.#tell('chat:message:received', entry);
  }

  #joinRefused(room, error) {
    room.requestId = null;
    room.step = 'out';
    const hadCallers = room.waiting.length > 0;
    this.#endWaiting(room, error);
    if (!error.recoverable || !room.wasIn) {
      this.#rooms.forget(room);
      if (!hadCallers || room.wasIn) this.#tell('refused', { kind: room.kind, id: room.id, error });
      return;
    }
    room.notBefore = this.#now + this.#backoff.afterRefusal(error, room.refusals);
    room.refusals += 1;
  }

  #endWaiting(room, error) {
    for (const { call } of room.waiting.splice(0)) this.#reject(call, error);
    room.ask = null;
  }

  #endOverdueJoins(room) {
    const late = room.waiting.filter(({ until }) => until <= this.#now);
    if (late.length === 0) return;
    room.waiting = room.waiting.filter(({ until }) => until > this.#now);
    for (const { call, timeoutMs } of late) this.#reject(call, overdue(room.call.event, timeoutMs));
    if (room.waiting.length > 0 || room.wasIn) return;
    this.#rooms.forget(room);
    // The server may let the client in all the same, or have done so.
    if (room.step === 'asked' && room.goodbye) this.#ask(room.goodbye);
  }

  #leave({ call, kind, id, timeoutMs }) {
    const room = this.#rooms.find(kind, id) ?? new Room(kind, id);
    this.#rooms.forget(room);
    this.#endWaiting(room, fault('CLIENT_ERROR', 'left before it was joined'));
    const { event, data } = room.goodbye ?? { data: {} };
    if (!this.#isOpen || !event) return this.#order('resolve', { call, data });
    this.#call({ call, event, data, timeoutMs, ifLost: data });
  }

  #roomClosed(id) {
    const room = this.#rooms.find('chat', id);
    if (!room) return;
    this.#rooms.forget(room);
    this.#endWaiting(room, fault('ROOM_ACCESS_DENIED', 'the room was closed'));
  }

  #refresh(token) {
    if (!this.#isOpen) return;
    this.#refreshId = this.#ask({ event: 'auth:refresh', data: { token } });
  }

  #refreshFailed(error) {
    if (!this.#isOpen) return;
    if (this.#settings.canRefresh) this.#refreshAt = this.#now + REFRESH_PAUSE_MS;
    this.#tell('refresh_failed', error);
  }

  /** Sends what waits for a connection: rooms first, so that what follows is heard in them. */
  #flush() {
    if (!this.#isOpen) return;
    for (const room of this.#rooms.all) {
      if (room.step !== 'out' || room.notBefore > this.#now) continue;
      room.step = 'asked';
      room.requestId = this.#ask(room.call);
    }
    for (const text of this.#calls.send(this.#pausedUntil > this.#now)) this.#order('send', { text });
  }

  /** Asks something of our own: its request is told from the app's, which are numbers. @returns {string} its id */
  #ask({ event, data }) {
    const requestId = `own-${(this.#requests += 1)}`;
    this.#send(event, data, requestId);
    return requestId;
  }
}
