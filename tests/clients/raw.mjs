// Engine.IO by hand: sessions whose every byte the test decides.

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { token } from './parlor.mjs';
import { bounded, event } from './people.mjs';

/** A WebSocket session after its open packet, of someone who answers no ping. */
export async function opened(test, server, query = '') {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket${query}`);
  const raw = { socket, heard: [], say: (packet) => socket.send(packet) };
  raw.closed = event(socket, 'close');
  raw.closed.catch(() => {});
  socket.on('message', (data, binary) => raw.heard.push(binary ? data : data.toString()));
  /** The first packet that begins so, now or later. */
  raw.hears = (start) => {
    const found = () => raw.heard.find((packet) => typeof packet === 'string' && packet.startsWith(start));
    return bounded(`hears ${start}`, (resolve) => {
      const read = () => found() !== undefined && resolve(found());
      socket.on('message', read);
      read();
      return () => socket.off('message', read);
    });
  };
  test.after(() => socket.terminate());
  if (!query) await raw.hears('0');
  return raw;
}

/** The same, connected to the namespace. */
export async function entered(test, server, user) {
  const raw = await opened(test, server);
  raw.say(`40${JSON.stringify({ token: token(user) })}`);
  await raw.hears('40');
  return raw;
}

/** A request to the engine, as it is answered. */
export async function request(server, query, init = {}) {
  const response = await fetch(`${server.url}/socket.io/?${query}`, { signal: AbortSignal.timeout(20_000), ...init });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    packets: text.split('\x1e'),
    json: () => JSON.parse(text),
  };
}

/** A session that polls. */
export class Session {
  static async open(server) {
    const answer = await request(server, 'EIO=4&transport=polling');
    assert.equal(answer.status, 200);
    assert.equal(answer.text[0], '0');
    const session = new Session();
    session.server = server;
    session.open = JSON.parse(answer.text.slice(1));
    session.query = `EIO=4&transport=polling&sid=${session.open.sid}`;
    return session;
  }

  /** One that is connected to the namespace. */
  static async enter(server, user) {
    const session = await Session.open(server);
    assert.equal((await session.post(`40${JSON.stringify({ token: token(user) })}`)).text, 'ok');
    const { packets } = await session.poll();
    assert.match(packets[0], /^40\{"sid":/);
    return session;
  }

  poll(init) {
    return request(this.server, this.query, init);
  }

  post(body, init) {
    return request(this.server, this.query, { method: 'POST', body, ...init });
  }
}
