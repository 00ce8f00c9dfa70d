// Chat rooms (WIRE §2). Messages get their id here, so that one that is sent again is stored once.

import { Client, freshId } from './client.js';

/** The chat of one user. */
export class Chat {
  /** @type {Client} */
  client;

  /** @param {Client|object} client a client, which may do other things besides, or the options of one of its own */
  constructor(client) {
    this.client = client instanceof Client ? client : new Client({ endpoint: '/chat', ...client });
  }

  connect() {
    return this.client.connect();
  }

  disconnect() {
    this.client.disconnect();
  }

  /** @param {{roomId?: string, name: string, visibility: 'public'|'private', members?: string[]}} room */
  createRoom(room) {
    return this.client.call('chat:room:create', room);
  }

  /**
   * @param {string} roomId
   * @param {{since?: number, timeout?: number}} [options] `since`: the last `seq` that the app has
   */
  joinRoom(roomId, options) {
    return this.client.join('chat', roomId, options);
  }

  /** @param {string} roomId */
  leaveRoom(roomId) {
    return this.client.leave('chat', roomId);
  }

  /**
   * Sends a message; while there is no connection it waits for one, for ever unless `timeout` is given.
   * @param {string} roomId
   * @param {string|object} content
   * @param {{id?: string, type?: 'chat'|'image'|'graph', metadata?: object, timeout?: number}} [options]
   */
  sendMessage(roomId, content, { id, type, metadata, timeout = 0 } = {}) {
    const message = { roomId, id: id ?? freshId(), type, content, metadata };
    return this.client.call('chat:message:send', message, { timeout, repeat: true, ownId: id === undefined });
  }

  /**
   * @param {string} roomId
   * @param {{before?: number, after?: number, limit?: number}} [page]
   */
  history(roomId, page) {
    return this.client.call('chat:message:history', { ...page, roomId }, { repeat: true });
  }

  /**
   * @param {string} roomId
   * @param {number} seq
   */
  markRead(roomId, seq) {
    return this.client.call('chat:message:read', { roomId, seq }, { repeat: true });
  }

  /** @param {string} roomId */
  startTyping(roomId) {
    this.#signal('chat:typing:start', roomId);
  }

  /** @param {string} roomId */
  stopTyping(roomId) {
    this.#signal('chat:typing:stop', roomId);
  }

  /**
   * @param {string} roomId
   * @param {{name: string, mimeType: string, data: string}} file `data` in base64; larger ones go over `POST /api/files`
   */
  uploadFile(roomId, file) {
    return this.client.call('chat:file:upload', { ...file, roomId }, { timeout: 60_000 });
  }

  /**
   * @param {string} roomId
   * @param {string} prompt
   */
  askRobot(roomId, prompt) {
    return this.client.call('chat:robot:interact', { roomId, prompt });
  }

  /**
   * @param {string} roomId
   * @param {string} reason
   */
  escalate(roomId, reason) {
    return this.client.call('chat:escalation:create', { roomId, reason });
  }

  /** @param {string} escalationId */
  resolveEscalation(escalationId) {
    return this.client.call('chat:escalation:resolve', { escalationId });
  }

  /** Every stored message that this connection did not send, in the order of its room. */
  onMessage(handler) {
    return this.client.on('chat:message:received', handler);
  }

  onTyping(handler) {
    return this.client.on('chat:user:typing', handler);
  }

  onRead(handler) {
    return this.client.on('chat:message:read', handler);
  }

  onNotification(handler) {
    return this.client.on('chat:system:notification', handler);
  }

  onFile(handler) {
    return this.client.on('chat:file:uploaded', handler);
  }

  onRobot(handler) {
    return this.client.on('chat:robot:response', handler);
  }

  onEscalation(handler) {
    return this.client.on('chat:escalation:created', handler);
  }

  /** What was heard of a room does not continue: the newest page is in `answer.messages`. */
  onReset(handler) {
    return this.client.on('reset', handler);
  }

  onError(handler) {
    return this.client.on('chat:error', handler);
  }

  /** A signal is worth nothing later, and nobody waits for it. */
  #signal(event, roomId) {
    if (this.client.state === 'open') this.client.call(event, { roomId }).catch(() => {});
  }
}
