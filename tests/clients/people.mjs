// People: real clients with a diary of what they hear, and waits that end.

import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { token } from './parlor.mjs';

/** How long anything may take that is waited for. */
const PATIENCE = Number(process.env.PATIENCE ?? 20_000);

/** The ways to connect: the default is polling, then the upgrade. */
export const WAYS = {
  'by default': {},
  'over WebSocket alone': { transports: ['websocket'] },
  'by polling alone': { transports: ['polling'] },
};

/**
 * A client of Socket.IO, not connected yet unless `options` say otherwise.
 * @param {{after: Function}} test at whose end it goes
 * @param {{url: string}} server
 */
export function client(test, server, user, options = {}) {
  const socket = io(server.url, {
    forceNew: true,
    autoConnect: false,
    auth: user ? { token: token(user) } : {},
    reconnectionDelay: 40,
    reconnectionDelayMax: 200,
    ...options,
  });
  socket.diary = new Diary();
  socket.onAny((name, data) => socket.diary.write(name, data));
  test.after(() => {
    socket.io.reconnection(false);
    socket.disconnect();
  });
  return socket;
}

/** The same, connected. */
export async function connected(test, server, user, options = {}) {
  const socket = client(test, server, user, options);
  await connects(socket);
  return socket;
}

/** Connects it, and waits for that; for its upgrade, too, where there is to be one. */
export async function connects(socket) {
  const opened = event(socket, 'connect');
  socket.connect();
  await opened;
  const { engine } = socket.io;
  if (engine.transports.length > 1 && engine.transport.name === 'polling') await event(engine, 'upgrade');
}

/** A plain WebSocket client of `/chat` or `/api/connect`, connected. */
export async function plain(test, server, user, path = '/chat') {
  const address = `${server.url.replace('http', 'ws')}${path}?token=${token(user)}`;
  const socket = new WebSocket(address);
  const diary = new Diary();
  socket.on('message', (text) => {
    const { event, data, requestId } = JSON.parse(text);
    diary.write(requestId ?? event, data);
  });
  test.after(() => socket.terminate());
  await event(socket, 'open');
  let calls = 0;
  return {
    socket,
    diary,
    /** A call; its answer. */
    async call(name, data) {
      const requestId = `r${(calls += 1)}`;
      socket.send(JSON.stringify({ event: name, data, requestId, version: '1' }));
      return diary.first(requestId);
    },
  };
}

/** What somebody heard, in order. */
export class Diary {
  #entries = [];
  #readers = new Set();

  write(name, data) {
    this.#entries.push({ name, data });
    this.#readers.forEach((read) => read());
  }

  /** The data of everything heard under this name. */
  all(name) {
    return this.#entries.filter((entry) => entry.name === name).map((entry) => entry.data);
  }

  /** The contents of the messages it heard, in one room or in all. */
  contents(room) {
    const messages = this.all('chat:message:received').filter((message) => !room || message.roomId === room);
    return messages.map((message) => message.content);
  }

  /** The first thing heard under this name that fits, now or later. */
  async first(name, fits = () => true) {
    const found = () => this.all(name).find(fits);
    await this.until(() => found() !== undefined || this.all(name).some(fits), `hears ${name}`);
    return found();
  }

  /** Waits until that is so. */
  until(holds, what = holds.toString()) {
    return bounded(what, (resolve) => {
      const read = () => holds() && resolve();
      this.#readers.add(read);
      read();
      return () => this.#readers.delete(read);
    }).catch((error) => {
      error.message += `; heard last: ${JSON.stringify(this.#entries.slice(-4))}`;
      throw error;
    });
  }
}

/** The arguments of the next event of this name. */
export function event(emitter, name, fits = () => true) {
  return bounded(name, (resolve) => {
    const hear = (...args) => fits(...args) && resolve(args);
    emitter.on(name, hear);
    return () => emitter.off(name, hear);
  });
}

/** A call with an ack; its data, which is no refusal. */
export async function call(socket, name, data) {
  const answer = await socket.timeout(PATIENCE).emitWithAck(name, data);
  assert.equal(answer.ok, true, `${name}: ${JSON.stringify(answer)}`);
  return answer;
}

/** A call with an ack; its refusal. */
export async function refused(socket, name, data) {
  const { ok, error } = await socket.timeout(PATIENCE).emitWithAck(name, data);
  assert.equal(ok, false, `${name} is not refused`);
  return error;
}

/** Sends a message; its answer. */
export function says(socket, roomId, content, besides = {}) {
  return call(socket, 'chat:message:send', { roomId, content, ...besides });
}

/** Why it may not come in. */
export async function refusal(socket) {
  const refused = event(socket, 'connect_error');
  socket.connect();
  const [error] = await refused;
  return { message: error.message, data: error.data };
}

/** A promise with an end: `begin` is given what fulfils it, and returns what is to be undone. */
export function bounded(what, begin) {
  return new Promise((resolve, reject) => {
    let undo = () => {};
    const end = (finish) => (value) => {
      clearTimeout(timer);
      queueMicrotask(() => undo());
      finish(value);
    };
    const timer = setTimeout(() => end(reject)(new Error(`not after ${PATIENCE} ms: ${what}`)), PATIENCE);
    undo = begin(end(resolve)) ?? undo;
  });
}
