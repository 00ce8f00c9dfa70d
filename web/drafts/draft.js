// One draft that is open (WIRE §4): its document over `/hocuspocus`, which says truly what is saved, and over `/ws`
// who is here and what is said about it. It outlives its page as long as something of it is not saved.

import { Doc, HocuspocusProvider, HocuspocusProviderWebsocket, encodeStateVector } from '../editor/libraries.js';
import { fetchJson } from '../rest.js';
import { socketAddress, token, user } from '../session.js';
import { Socket } from '../socket.js';
import { toneOf } from '../dom.js';
import { Threads } from './threads.js';
import { toBase64 } from './base64.js';

/** The root of the text that this editor shows. */
export const ROOT = 'content';
const PAUSE_MS_FIRST = 500;
const PAUSE_MS_MAX = 10_000;
const PING_MS = 25_000;
const LOST = { code: 1006, reason: '' };
/** The colours of the tones, for editors that know colours only. */
const COLOURS = ['#1f6b62', '#8a4b2d', '#4a5a8c', '#7a3f63', '#55682f', '#6b5a2a'];

/**
 * @typedef {'connecting'|'open'|'lost'|'refused'} Connection
 * @typedef {{userId: string, name?: string, connections: number}} Person
 */

/** A draft. */
export class Draft {
  document = new Doc();
  text = this.document.getText(ROOT);
  threads = new Threads();
  /** @type {Connection} */
  connection = 'connecting';
  /** Whether the text was had at least once. */
  isLoaded = false;
  isReadOnly = false;
  /** @type {Person[]} */
  people = [];
  /** @type {string|null} */
  trouble = null;
  /** @type {string|null} something that was refused and passes */
  complaint = null;
  #socket;
  #provider;
  #talk;
  #pinging;
  #listener = () => {};
  /** What of our own was sent over the connection that there is, by its id. */
  #sent = new Set();
  /** What the listener is about to be told. */
  #changes = new Set();

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.#connect();
    addEventListener('offline', this.#networkLost);
    addEventListener('online', this.#networkBack);
    addEventListener('beforeunload', this.#leaving);
    this.#pinging = setInterval(() => this.#talk.send({ type: 'ping' }), PING_MS);
  }

  /** @returns {any} what the others' cursors are known from */
  get awareness() {
    return this.#provider.awareness;
  }

  /** @returns {boolean} whether something of the text that is ours is not known to be stored */
  get isTextUnsaved() {
    return this.#provider.unsyncedChanges > 0 && !this.isReadOnly;
  }

  /** @returns {boolean} the same of the text and of what was said about it */
  get isUnsaved() {
    return this.isTextUnsaved || this.threads.isUnsaved;
  }

  /**
   * Has the listener called after each change of what is known, in place of the one before.
   * @param {(what: 'state'|'threads') => void} listener
   */
  listen(listener) {
    this.#listener = listener;
  }

  /** Connects at once. */
  connectNow() {
    if (this.connection === 'refused') {
      this.#disconnect();
      this.#connect();
      this.#changed('state');
      return;
    }
    this.#socket.connect();
    this.#talk.connectNow();
  }

  /**
   * Says something about the text, or in answer to what was said.
   * @param {string} text
   * @param {{threadId?: string, anchor?: {from: string, to: string}, quote?: string}} about
   */
  comment(text, about) {
    this.threads.post({ ...about, id: crypto.randomUUID(), text, userId: user()?.id ?? '', name: user()?.name ?? '' });
    this.#sendOwn();
  }

  /**
   * @param {string} threadId
   * @param {boolean} resolved
   */
  resolve(threadId, resolved) {
    this.threads.end({ id: crypto.randomUUID(), threadId, resolved });
    this.#sendOwn();
  }

  /** Tries again what was refused. @param {string} id */
  again(id) {
    this.threads.again(id);
    this.#sent.delete(id);
    this.#sendOwn();
  }

  /** Gives up what was refused. @param {string} id */
  discard(id) {
    this.threads.discard(id);
    this.#ownChanged();
  }

  /** Ends it. */
  close() {
    this.#listener = () => {};
    clearInterval(this.#pinging);
    removeEventListener('offline', this.#networkLost);
    removeEventListener('online', this.#networkBack);
    removeEventListener('beforeunload', this.#leaving);
    this.#disconnect();
    this.document.destroy();
  }

  /** Tells soon: much of what is known changes while the editor is in the middle of a change of its own. */
  #changed(what) {
    if (this.#changes.size === 0) queueMicrotask(() => this.#tell());
    this.#changes.add(what);
  }

  #tell() {
    const changes = [...this.#changes];
    this.#changes.clear();
    for (const what of changes) this.#listener(what);
  }

  #connect() {
    const address = new URL('/hocuspocus', location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    address.hash = '';
    const pauses = { delay: PAUSE_MS_FIRST, minDelay: PAUSE_MS_FIRST, maxDelay: PAUSE_MS_MAX };
    this.connection = 'connecting';
    this.trouble = null;
    this.#socket = new HocuspocusProviderWebsocket({ url: address.href, ...pauses });
    // What was written while there was no connection is told by the comparison of states that opens each connection.
    // Sent besides, each of its updates would be reported saved, and the first report be taken for the whole.
    this.#socket.on('open', () => (this.#socket.messageQueue = []));
    this.#provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: this.id,
      document: this.document,
      token: () => token() ?? '',
      onAuthenticated: ({ scope }) => this.#letIn(scope === 'readonly'),
      onAuthenticationFailed: ({ reason }) => this.#refused(reason),
      onSynced: () => this.#loaded(),
      onUnsyncedChanges: () => this.#changed('state'),
      onStatus: ({ status }) => this.#statusChanged(status),
      onClose: ({ event }) => this.#closed(event),
    });
    this.#provider.attach();
    const { id, name } = user() ?? { id: '', name: '' };
    const colour = COLOURS[toneOf(id)];
    this.awareness.setLocalStateField('user', { id, name, color: colour, colorLight: `${colour}33` });
    this.#talk = new Socket(() => socketAddress('/ws', { draftId: this.id }), {
      opened: () => this.#talkOpened(),
      heard: (frame) => this.#heard(frame),
    });
  }

  #disconnect() {
    this.#provider.destroy();
    this.#socket.destroy();
    this.#talk.close();
  }

  #networkLost = () => {
    if (this.connection !== 'refused') this.#socket.emit('close', { event: LOST });
  };

  #networkBack = () => {
    if (this.connection !== 'refused') this.#socket.connect();
  };

  #leaving = (event) => {
    if (this.isUnsaved) event.preventDefault();
  };

  #letIn(isReadOnly) {
    this.isReadOnly = isReadOnly;
    this.#changed('state');
  }

  #loaded() {
    this.isLoaded = true;
    this.connection = 'open';
    this.#changed('state');
  }

  #statusChanged(status) {
    if (this.connection === 'refused') return;
    if (status !== 'connected') this.connection = this.isLoaded || this.connection === 'lost' ? 'lost' : 'connecting';
    this.#changed('state');
  }

  /** One draft may be closed while the connection stays; then nothing but a new one opens it. */
  #closed(event) {
    if (this.#socket.status !== 'connected' || event?.code !== 1000) return;
    this.#refused(event.reason || 'the draft was closed');
  }

  #refused(reason) {
    this.connection = 'refused';
    this.trouble = reason;
    this.#socket.disconnect();
    this.#changed('state');
  }

  #talkOpened() {
    this.complaint = null;
    this.#sent.clear();
    // A client that sends base64 is sent base64; the text itself comes the other way.
    this.#talk.send({ type: 'yjs-state-request', data: toBase64(encodeStateVector(this.document)) });
    this.#loadComments();
    this.#sendOwn();
  }

  async #loadComments() {
    const asked = this.threads.asked();
    try {
      this.threads.load(await fetchJson(`/api/drafts/${encodeURIComponent(this.id)}/comments`), asked);
      this.#ownChanged();
    } catch (error) {
      if (error.code !== 'CONNECTION_LOST') this.complaint = `The comments could not be had: ${error.message}`;
      this.#changed('state');
    }
  }

  /** Sends what is not answered, as far as there is a connection; each time it opens the same goes again. */
  #sendOwn() {
    const { comments, endings } = this.threads.waiting;
    const frames = [
      ...comments.map(({ id, threadId, anchor, text }) => ({ type: 'comment-add', requestId: id, data: { id, threadId, anchor, text } })),
      ...endings.map(({ id, threadId, resolved }) => ({ type: 'comment-resolve', requestId: id, data: { threadId, resolved } })),
    ];
    for (const frame of frames) {
      if (!this.#sent.has(frame.requestId) && this.#talk.send(frame)) this.#sent.add(frame.requestId);
    }
    this.#ownChanged();
  }

  #ownChanged() {
    this.#changed('threads');
    this.#changed('state');
  }

  #heard({ type, data, error, code, requestId }) {
    switch (type) {
      case 'active-users':
        this.people = Array.isArray(data) ? data : [];
        this.#changed('state');
        break;
      case 'comment-added':
        this.threads.added(data);
        this.#ownChanged();
        break;
      case 'comment-resolved':
        this.threads.resolved(data);
        this.#ownChanged();
        break;
      case 'error':
        this.#complain(typeof error === 'string' ? error : String(code ?? 'something was refused'), requestId);
        break;
      default:
    }
  }

  /** A refusal of something that was said stands beside it, another above all. */
  #complain(why, requestId) {
    if (!this.threads.refused(requestId, why)) this.complaint = why;
    this.#ownChanged();
  }
}
