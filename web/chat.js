// The chat's one connection: calls matched to their answers, and what is heard handed to its room. Rooms that
// were opened stay listened to while the person is elsewhere in the console.

import { fetchJson, Refused } from './rest.js';
import { Room } from './room.js';
import { socketAddress, user } from './session.js';
import { Socket } from './socket.js';

/** How many rooms are listened to at once; above it, the one that was looked at longest ago is left. */
const ROOMS_MAX = 8;
/** How long nothing may be heard before the connection is tried. */
const IDLE_MS = 45_000;

/** The chat of who is signed in. */
export class Chat {
  user = user();
  /** @type {{id: string, name: string, role?: string}[]} */
  directory = [];
  /** @type {Refused|null} why the directory could not be had */
  trouble = null;
  /** @type {string|null} an error that belongs to no call */
  complaint = null;
  isListed = false;
  expiresAt = null;
  /** @type {Map<string, Room>} by id, the one looked at last at the end */
  #rooms = new Map();
  /** @type {Room|null} */
  #watched = null;
  #calls = new Map();
  #callsMade = 0;
  #socket;
  #listener = () => {};
  #idle;

  constructor() {
    this.#socket = new Socket(() => socketAddress('/chat'), {
      opened: () => this.#opened(),
      heard: (frame) => this.#heard(frame),
      changed: (state) => this.#connectionChanged(state),
    });
    this.#idle = setInterval(() => this.#probe(), IDLE_MS);
  }

  /** @returns {import('./socket.js').State} */
  get connection() {
    return this.#socket.state;
  }

  /** @returns {number} messages that nobody looked at, in all rooms */
  get unread() {
    return [...this.#rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  }

  /**
   * Has the listener called after each change, in place of the one before.
   * @param {() => void} listener
   */
  listen(listener) {
    this.#listener = listener;
  }

  /** Tells the listener. */
  changed() {
    this.#listener();
  }

  /** Reads which rooms there are. */
  async list() {
    try {
      this.directory = await fetchJson('/api/rooms?kind=chat');
      this.trouble = null;
    } catch (error) {
      this.trouble = error;
    }
    this.isListed = true;
    this.changed();
  }

  /**
   * The room to look at; listens to it from now on.
   * @param {string} id
   * @returns {Room}
   */
  watch(id) {
    let room = this.#rooms.get(id);
    const isStale = room?.step === 'refused' || room?.step === 'closed';
    if (!room || isStale) {
      room = new Room(id, this.directory.find((one) => one.id === id)?.name ?? id, this);
      if (this.connection.phase === 'open') room.join();
    }
    this.#rooms.delete(id);
    this.#rooms.set(id, room);
    this.#watched = room;
    room.unread = 0;
    this.#leaveTooMany();
    return room;
  }

  /** Nothing is looked at. */
  unwatch() {
    this.#watched = null;
  }

  /** @param {Room} room */
  isWatched(room) {
    return this.#watched === room && document.visibilityState === 'visible';
  }

  /** @param {string} id */
  unreadOf(id) {
    return this.#rooms.get(id)?.unread ?? 0;
  }

  /**
   * Creates a room.
   * @param {{name: string, visibility: 'public'|'private', members?: string[]}} room
   * @returns {Promise<string>} its id
   */
  async create(room) {
    const { roomId } = await this.call('chat:room:create', room);
    this.list();
    return roomId;
  }

  /**
   * Calls the server.
   * @param {string} event
   * @param {object} data
   * @returns {Promise<any>} what it answers
   * @throws {Refused}
   */
  call(event, data) {
    this.#callsMade += 1;
    const requestId = String(this.#callsMade);
    return new Promise((answered, refused) => {
      if (!this.#socket.send({ event, data, requestId, version: '1' })) {
        refused(lost());
        return;
      }
      this.#calls.set(requestId, { answered, refused });
    });
  }

  /** The person looks at the page again: what was heard meanwhile is seen, and the connection is tried. */
  wake() {
    this.#probe();
    this.changed();
  }

  /** Connects at once. */
  connectNow() {
    this.#socket.connectNow();
  }

  /** Ends it. */
  close() {
    clearInterval(this.#idle);
    this.#listener = () => {};
    this.#socket.close();
    this.#loseCalls();
  }

  #opened() {
    this.complaint = null;
    for (const room of this.#rooms.values()) room.join();
  }

  #connectionChanged(state) {
    if (state.phase !== 'open') this.#loseCalls();
    this.changed();
  }

  #loseCalls() {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { refused } of calls) refused(lost());
  }

  #heard({ event, data, requestId }) {
    const call = this.#calls.get(requestId);
    if (call) {
      this.#calls.delete(requestId);
      if (event === 'chat:error') call.refused(new Refused(data));
      else call.answered(data ?? {});
      return;
    }
    const room = this.#rooms.get(data?.roomId);
    if (event === 'chat:system:notification') room?.notified(data);
    else if (event === 'chat:error') this.complaint = new Refused(data).message;
    else if (event === 'auth:expiring') this.expiresAt = data?.expiresAt ?? null;
    else if (event === 'server_shutdown') this.#socket.holdOff(data?.reconnectAfterMs);
    else if (room && isMessage(data)) room.heard(data);
    this.changed();
  }

  #probe() {
    const room = this.#watched;
    if (room?.step === 'joined') this.call('chat:message:history', { roomId: room.id, limit: 1 }).catch(() => {});
  }

  #leaveTooMany() {
    for (const [id, room] of this.#rooms) {
      if (this.#rooms.size <= ROOMS_MAX) return;
      if (room === this.#watched || room.timeline.unsent.length > 0) continue;
      this.#rooms.delete(id);
      this.call('chat:room:leave', { roomId: id }).catch(() => {});
    }
  }
}

/** Everything stored comes with these, whether its event says message, file, robot or escalation. */
function isMessage(data) {
  return Number.isSafeInteger(data?.seq) && typeof data.senderId === 'string';
}

function lost() {
  return new Refused({ code: 'CONNECTION_LOST', message: 'the connection was lost', recoverable: true });
}
