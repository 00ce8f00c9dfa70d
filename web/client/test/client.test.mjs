// The driver alone, over a WebSocket that does what the test says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf } from '../client.js';
import { Client } from '../parlor.js';

/** What was opened, newest last. */
function sockets() {
  const opened = [];
  class Stand {
    readyState = 0;
    sent = [];
    closed = null;
    constructor(address, protocols) {
      Object.assign(this, { address, protocols });
      opened.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close(code) {
      this.closed = code;
    }
    letIn() {
      this.readyState = 1;
      this.onopen();
      this.hear({ event: 'pong', data: {} });
    }
    hear(frame) {
      this.onmessage({ data: JSON.stringify(frame) });
    }
  }
  return { opened, Stand };
}

function client(t, options = {}) {
  const { opened, Stand } = sockets();
  const made = new Client({ url: 'http://127.0.0.1:8080', token: 'jwt', WebSocket: Stand, reconnectDelay: 0, ...options });
  t.after(() => made.disconnect());
  return { made, opened };
}

const heard = (made, event) => new Promise((resolve) => made.once(event, resolve));
/** Until what is to be opened was opened. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('addresses are of the server or of the endpoint, as WebSocket or as HTTP', () => {
  for (const [url, address] of [
    ['ws://localhost:3001', 'ws://localhost:3001/api/connect'],
    ['http://localhost:3001/', 'ws://localhost:3001/api/connect'],
    ['https://example.org', 'wss://example.org/api/connect'],
    ['wss://example.org/parlor/', 'wss://example.org/parlor/api/connect'],
    ['wss://example.org/api/connect', 'wss://example.org/api/connect'],
  ]) {
    assert.equal(addressOf(url, '/api/connect', 'ws'), address);
  }
  assert.equal(addressOf('wss://example.org', '/api/documents', 'http'), 'https://example.org/api/documents');
});

test('the token goes as a subprotocol, and is asked for at each attempt', async (t) => {
  let asked = 0;
  const { made, opened } = client(t, { token: async () => `jwt-${(asked += 1)}` });
  const open = made.connect();
  await turn();
  assert.equal(opened[0].address, 'ws://127.0.0.1:8080/api/connect?refuse=close');
  assert.deepEqual(opened[0].protocols, ['bearer', 'jwt-1']);
  opened[0].letIn();
  await open;
  const again = heard(made, 'connecting');
  opened[0].onclose({ code: 1006, reason: '' });
  await again;
  await turn();
  assert.deepEqual(opened[1].protocols, ['bearer', 'jwt-2']);
});

test('a token that cannot be had is asked for again later', async (t) => {
  let asked = 0;
  const token = () => {
    asked += 1;
    if (asked === 1) throw new Error('the session service is down');
    return 'jwt';
  };
  const { made, opened } = client(t, { token });
  const waiting = heard(made, 'waiting');
  made.connect();
  assert.equal((await waiting).reason, 'the session service is down');
  await heard(made, 'connecting');
  await turn();
  assert.equal(opened.length, 1);
});

test('a token that comes after disconnecting opens nothing', async (t) => {
  let give;
  const { made, opened } = client(t, { token: () => new Promise((resolve) => (give = resolve)) });
  const open = made.connect();
  made.disconnect();
  give('jwt');
  await assert.rejects(open, { code: 'CONNECTION_LOST' });
  await turn();
  assert.equal(opened.length, 0);
});

test('an attempt that only tells of an error counts as lost', async (t) => {
  const { made, opened } = client(t);
  made.connect();
  await turn();
  const waiting = heard(made, 'waiting');
  opened[0].onerror({ message: 'refused' });
  assert.deepEqual([(await waiting).code, (await waiting).reason, opened[0].closed], [1006, 'refused', 1000]);
});

test('handlers are called in order and until they are taken away, and one that throws disturbs no other', async (t) => {
  const faults = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => faults.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  const { made, opened } = client(t);
  made.connect();
  await turn();
  opened[0].letIn();
  const calls = [];
  const off = made.on('note', () => calls.push('first'));
  made.on('note', () => {
    throw new Error('a fault of the app');
  });
  made.once('note', (data) => calls.push(`once ${data.n}`));
  made.on('*', (data, event) => calls.push(`* ${event}`));
  opened[0].hear({ event: 'note', data: { n: 1 } });
  off();
  opened[0].hear({ event: 'note', data: { n: 2 } });
  await turn();
  assert.deepEqual(calls, ['first', 'once 1', '* note', '* note']);
  assert.deepEqual(faults, ['a fault of the app', 'a fault of the app']);
});

test('data that is no JSON is refused, and harms no other call', async (t) => {
  const { made, opened } = client(t);
  made.connect();
  await turn();
  opened[0].letIn();
  await assert.rejects(made.call('a', { big: 1n }), TypeError);
  const answer = made.call('b', {});
  const { requestId } = opened[0].sent.at(-1);
  opened[0].hear({ event: 'b', data: { x: 1 }, requestId });
  assert.deepEqual(await answer, { x: 1 });
});
