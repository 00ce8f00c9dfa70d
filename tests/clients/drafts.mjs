// Editors of drafts: the two providers that people have, unmodified, a good client of `/ws`, and sockets whose every
// frame the test decides.

import assert from 'node:assert/strict';
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import WebSocket from 'ws';
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { token } from './parlor.mjs';
import { Diary, bounded } from './people.mjs';

/** What a provider's first number is on `/yjs`, and its second on `/hocuspocus`. */
export const KIND = { sync: 0, awareness: 1, auth: 2, queryAwareness: 3, close: 7, syncStatus: 8, ping: 9, pong: 10 };
/** What follows `sync`. */
export const SYNC = { step1: 0, step2: 1, update: 2 };
/** How often a version is asked for again that could not be made. */
const VERSION_TRIES = 5;
/** How often something is looked at that tells nobody when it changes, in ms. */
const LOOK_EVERY = 10;

let drafts = 0;

/** Makes a draft with these members besides its firm: `{userId: role}`. */
export async function draft(server, members = {}, id = `draft-${(drafts += 1)}`, firmId = 'acme') {
  const path = `/api/admin/rooms/draft/${encodeURIComponent(id)}`;
  await server.backend('PUT', path, { name: id, firmId });
  for (const [member, role] of Object.entries(members)) {
    await server.backend('PUT', `${path}/members/${member}`, { role });
  }
  return id;
}

/** A call of a user's about a draft: `{status, body}`. */
export async function about(server, user, draftId, rest, init = {}) {
  const { claims, ...request } = init;
  const answer = await fetch(`${server.url}/api/drafts/${encodeURIComponent(draftId)}/${rest}`, {
    signal: AbortSignal.timeout(60_000),
    ...request,
    headers: { authorization: `Bearer ${token(user, claims)}`, 'content-type': 'application/json' },
  });
  const octets = new Uint8Array(await answer.arrayBuffer());
  const json = /json/.test(answer.headers.get('content-type') ?? '');
  return { status: answer.status, body: json ? JSON.parse(new TextDecoder().decode(octets)) : octets };
}

/** A fresh document of `yjs` itself, as the server says the draft was then; asked for again while it cannot be made. */
export async function version(server, user, draftId, seq) {
  let { status, body } = await about(server, user, draftId, `versions/${seq}`);
  for (let tries = 0; body.error?.recoverable && tries < VERSION_TRIES; tries += 1) {
    await passes(1_000);
    ({ status, body } = await about(server, user, draftId, `versions/${seq}`));
  }
  assert.equal(status, 200, `versions/${seq}: ${JSON.stringify(body)}`);
  const doc = new Y.Doc();
  Y.applyUpdate(doc, body);
  assert.equal(doc.store.pendingStructs, null, 'nothing is missing in it');
  return doc;
}

/** The number of the newest entry in the draft's log. */
export async function lastSeq(server, user, draftId) {
  const answer = await fetch(`${server.url}/api/rooms?kind=draft`, { headers: { authorization: `Bearer ${token(user)}` } });
  const rooms = await answer.json();
  const room = rooms.find(({ id }) => id === draftId);
  assert.ok(room, `${draftId} is not among ${JSON.stringify(rooms)}`);
  return room.lastSeq;
}

/** What the server itself has of the draft now. */
export async function kept(server, user, draftId) {
  return version(server, user, draftId, await lastSeq(server, user, draftId));
}

/** Waits until that is so. */
export function eventually(what, holds) {
  return bounded(what, (resolve) => {
    const timer = setInterval(() => holds() && resolve(), LOOK_EVERY);
    return () => clearInterval(timer);
  });
}

/** That long, in ms. */
export const passes = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What providers are given to connect with: one that is closed while it connects fails in silence. */
class Socket extends WebSocket {
  constructor(...given) {
    super(...given);
    this.on('error', () => {});
  }
}

/** A class of WebSockets that note the bytes of every message they hear, in `into`. */
export function noting(into) {
  return class extends Socket {
    constructor(...given) {
      super(...given);
      this.on('message', (data) => into.push(new Uint8Array(data)));
    }
  };
}

/** Every editor: a document, who else is there, what was heard, and an end with the test. */
class Editor {
  doc = new Y.Doc();
  diary = new Diary();
  text = this.doc.getText('text');

  constructor(test) {
    test.after(() => this.leave());
  }

  /** Puts it into the text, at its end. */
  write(text) {
    this.text.insert(this.text.length, text);
  }

  /** Waits until the text is this. */
  reads(text) {
    return eventually(`reads ${text}`, () => this.text.toString() === text).catch((error) => {
      error.message += `; it reads ${this.text}`;
      throw error;
    });
  }
}

/** The unmodified provider of `y-websocket`. */
export class YWebsocketEditor extends Editor {
  /** @param {object} [options] of the provider's, and the token's `claims` */
  constructor(test, server, draftId, user, { claims, ...options } = {}) {
    super(test);
    this.provider = new WebsocketProvider(`${server.url.replace('http', 'ws')}/yjs`, draftId, this.doc, {
      params: { token: token(user, claims) },
      WebSocketPolyfill: Socket,
      disableBc: true,
      maxBackoffTime: 300,
      ...options,
    });
    this.awareness = this.provider.awareness;
    this.provider.on('connection-close', (event) => this.diary.write('close', event?.code));
    this.provider.on('closed', ({ code, reason }) => this.diary.write('closed', { code, reason }));
    this.provider.on('status', ({ status }) => this.diary.write(status));
  }

  get synced() {
    return this.provider.synced;
  }

  /** Waits until it has what the server has. */
  async ready() {
    await eventually('a provider of y-websocket is synced', () => this.synced);
    return this;
  }

  leave() {
    this.provider.destroy();
    this.doc.destroy();
  }
}

/** The unmodified provider of Hocuspocus. */
export class HocuspocusEditor extends Editor {
  /** @param {object} [options] of the provider's, and the token's `claims`; `websocketProvider` to share a socket */
  constructor(test, server, draftId, user, { claims, websocketProvider, ...options } = {}) {
    super(test);
    this.own = websocketProvider ? null : hocuspocusSocket(test, server);
    this.socket = websocketProvider ?? this.own;
    this.provider = new HocuspocusProvider({
      name: draftId,
      document: this.doc,
      token: token(user, claims),
      websocketProvider: this.socket,
      onAuthenticated: ({ scope }) => this.diary.write('authenticated', scope),
      onAuthenticationFailed: ({ reason }) => this.diary.write('refused', reason),
      onClose: ({ event }) => this.diary.write('close', { code: event.code, reason: event.reason }),
      ...options,
    });
    this.provider.attach();
    this.awareness = this.provider.awareness;
  }

  get synced() {
    return this.provider.synced && this.provider.isAuthenticated;
  }

  /** How many changes it takes to be not stored yet. */
  get unsynced() {
    return this.provider.unsyncedChanges;
  }

  /** Waits until it has what the server has, and the server what it has. */
  async ready() {
    await eventually('a provider of Hocuspocus is synced', () => this.synced && this.unsynced === 0);
    return this;
  }

  leave() {
    this.provider.destroy();
    this.own?.destroy();
    this.doc.destroy();
  }
}

/** A socket that providers of Hocuspocus share, quick to come back. */
export function hocuspocusSocket(test, server, options = {}) {
  const socket = new HocuspocusProviderWebsocket({
    url: `${server.url.replace('http', 'ws')}/hocuspocus`,
    WebSocketPolyfill: Socket,
    delay: 40,
    minDelay: 40,
    maxDelay: 300,
    ...options,
  });
  test.after(() => socket.destroy());
  return socket;
}

/**
 * A good client of `/ws`: it answers when the server asks for its state, gives each update an id, counts it as saved
 * when it is told so, and comes back when it is cut off.
 */
export class JsonEditor extends Editor {
  awareness = new Awareness(this.doc);
  saved = new Set();
  synced = false;
  /** What it says when the server asks for its state; not a good client where it says nothing. */
  answers = true;
  #ids = 0;
  #leaves = false;

  /** @param {object} [options] `base64` to speak so, `claims` of the token, `params` for others in the query */
  constructor(test, server, draftId, user, { base64 = false, claims, params } = {}) {
    super(test);
    this.base64 = base64;
    const query = new URLSearchParams({ token: token(user, claims), draftId, ...params });
    this.address = `${server.url.replace('http', 'ws')}/ws?${query}`;
    this.name = user;
    this.doc.on('update', (update, origin) => origin !== this && this.update(update));
    this.awareness.on('update', (change, origin) => {
      if (origin === this || !this.synced) return;
      this.announce([...change.added, ...change.updated, ...change.removed]);
    });
    this.#connect();
  }

  /** Whether all that it sent is saved. */
  get isSaved() {
    return this.saved.size === this.#ids;
  }

  /** Sends it, if it can; the id under which it was sent. */
  update(update) {
    const id = `${this.name}-${(this.#ids += 1)}`;
    this.say({ type: 'yjs-update', data: this.octets(update), id });
    return id;
  }

  /** Tells the others who these are. */
  announce(clients) {
    this.say({ type: 'awareness-update', data: this.octets(encodeAwarenessUpdate(this.awareness, clients)) });
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  octets(bytes) {
    return this.base64 ? Buffer.from(bytes).toString('base64') : Array.from(bytes);
  }

  async ready() {
    await eventually('a client of /ws has its state', () => this.synced);
    return this;
  }

  leave() {
    this.#leaves = true;
    this.socket.terminate();
    this.doc.destroy();
  }

  #connect() {
    this.socket = new WebSocket(this.address);
    this.socket.on('error', () => {});
    this.socket.on('message', (text) => this.#hear(JSON.parse(text)));
    this.socket.on('close', (code, reason) => {
      this.synced = false;
      this.diary.write('close', { code, reason: reason.toString() });
      const others = [...this.awareness.getStates().keys()].filter((client) => client !== this.doc.clientID);
      removeAwarenessStates(this.awareness, others, this);
      if (!this.#leaves && code !== 1008) setTimeout(() => this.#leaves || this.#connect(), 50);
    });
  }

  #hear(message) {
    const { type, data } = message;
    this.diary.write(type, message);
    if (type === 'yjs-state-response' || type === 'yjs-update') Y.applyUpdate(this.doc, bytes(data), this);
    if (type === 'awareness-update') applyAwarenessUpdate(this.awareness, bytes(data), this);
    if (type === 'yjs-update-saved') this.saved.add(message.id);
    if (type === 'yjs-state-request' && this.answers) this.update(Y.encodeStateAsUpdate(this.doc, bytes(data)));
    if (type === 'yjs-state-response') {
      this.synced = true;
      if (this.awareness.getLocalState()) this.announce([this.doc.clientID]);
    }
  }
}

/** The octets that stand in `data`, in either way. */
export function bytes(data) {
  return typeof data === 'string' ? new Uint8Array(Buffer.from(data, 'base64')) : Uint8Array.from(data);
}

/** A socket by hand, with all that it heard: text as JSON, and octets. */
export class RawSocket {
  heard = [];
  #readers = new Set();

  constructor(test, server, path) {
    this.socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`);
    this.socket.on('error', () => {});
    this.socket.on('message', (data, binary) => {
      this.heard.push(binary ? new Uint8Array(data) : JSON.parse(data));
      this.#readers.forEach((read) => read());
    });
    this.opened = new Promise((resolve) => this.socket.once('open', resolve));
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    test.after(() => this.socket.terminate());
  }

  /** Frames as they are, and objects as JSON. */
  say(...frames) {
    for (const frame of frames) {
      const binary = frame instanceof Uint8Array;
      this.socket.send(binary || typeof frame === 'string' ? frame : JSON.stringify(frame));
    }
  }

  /** The first frame that fits, now or later. */
  hears(fits, what = fits.toString()) {
    return bounded(`hears ${what}`, (resolve) => {
      const read = () => {
        const found = this.heard.find(fits);
        if (found !== undefined) resolve(found);
      };
      this.#readers.add(read);
      read();
      return () => this.#readers.delete(read);
    });
  }

  /** How it is closed, with an end to the waiting. */
  ends() {
    return bounded('the socket is closed', (resolve) => void this.closed.then(resolve));
  }
}

/** A frame of these parts: numbers as varUints, strings and octets with their lengths in front. */
export function frame(...parts) {
  return encoding.encode((encoder) => {
    for (const part of parts) {
      if (typeof part === 'number') encoding.writeVarUint(encoder, part);
      else if (typeof part === 'string') encoding.writeVarString(encoder, part);
      else encoding.writeVarUint8Array(encoder, part);
    }
  });
}

/** What a frame of `/yjs` says: `{kind, sync?, octets?}`. */
export function said(octets) {
  return read(decoding.createDecoder(octets), {});
}

/** What a frame of `/hocuspocus` says: the same with the draft's `name`; `status` of a SyncStatus, `scope` of an Auth. */
export function saidOf(octets) {
  if (octets.length === 1) return { kind: octets[0] };
  const decoder = decoding.createDecoder(octets);
  return read(decoder, { name: decoding.readVarString(decoder) });
}

function read(decoder, so) {
  const kind = decoding.readVarUint(decoder);
  if (kind === KIND.sync || kind === 4) {
    return { ...so, kind, sync: decoding.readVarUint(decoder), octets: decoding.readVarUint8Array(decoder) };
  }
  if (kind === KIND.awareness) return { ...so, kind, octets: decoding.readVarUint8Array(decoder) };
  if (kind === KIND.syncStatus) return { ...so, kind, status: decoding.readVarInt(decoder) };
  if (kind === KIND.close) return { ...so, kind, reason: decoding.readVarString(decoder) };
  if (kind !== KIND.auth) return { ...so, kind };
  const step = decoding.readVarUint(decoder);
  return { ...so, kind, step, text: decoding.hasContent(decoder) ? decoding.readVarString(decoder) : undefined };
}

/** An awareness update that says this of one client; `null` that it is gone. */
export function awarenessOf(client, clock, state) {
  return frame(1, client, clock, JSON.stringify(state));
}
