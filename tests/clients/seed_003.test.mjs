// A client as the document of the shared drafts shows it: each of its pieces word for word but for where the server is
// and whose token it is. It sends no ids, answers no request of the server, and does not come back by itself.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import NodeWebSocket from 'ws';
import * as Y from 'yjs';
import { YWebsocketEditor, draft, eventually, kept, passes } from './drafts.mjs';
import { Parlor, token as tokenOf } from './parlor.mjs';
import { Diary } from './people.mjs';

/** How often the document's server pings, in ms, here. */
const HEARTBEAT_INTERVAL = 200;
const HEARTBEAT_TIMEOUT = 300;

const server = await Parlor.start({ after }, { HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT });

/** A browser's part: where the token is, and a console that is read. */
function browser(t, user, claims) {
  const diary = new Diary();
  const sockets = [];
  return {
    diary,
    localStorage: { getItem: () => tokenOf(user, claims) },
    console: { error: (...line) => diary.write('console', line) },
    WebSocket: class extends NodeWebSocket {
      constructor(address) {
        super(address.replace('ws://localhost:3000', server.url.replace('http', 'ws')));
        sockets.push(this);
        t.after(() => this.terminate());
        this.on('message', (text) => diary.write(JSON.parse(text).type, JSON.parse(text)));
        this.on('close', (code, reason) => diary.write('close', { code, reason: reason.toString() }));
      }
    },
  };
}

/** The document's client. */
function shown({ localStorage, WebSocket, console }, draftId, ydoc = new Y.Doc()) {
  const token = localStorage.getItem('accessToken');
  const ws = new WebSocket(`ws://localhost:3000/ws?token=${token}&draftId=${draftId}`);

  // "Received by other clients in same room", "Initial State from Server", "Error Message": one after another.
  ws.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === 'yjs-update') {
      const update = new Uint8Array(message.data);
      Y.applyUpdate(ydoc, update, 'server');
    }
    if (message.type === 'yjs-state-response') {
      const state = new Uint8Array(message.data);
      Y.applyUpdate(ydoc, state, 'server');
    }
    if (message.type === 'error') {
      console.error('WebSocket error:', message.error);
    }
  };

  // "Sent by client when local document changes"
  ydoc.on('update', (update, origin) => {
    if (origin === 'server') return;
    ws.send(JSON.stringify({
      type: 'yjs-update',
      data: Array.from(update), // Uint8Array converted to array
    }));
  });

  // "Client should respond to ping"
  ws.on('ping', () => {
    ws.pong();
  });

  return { ws, ydoc, text: ydoc.getText('text') };
}

/** Opens it, and waits for its initial state. */
async function opens(t, user, draftId, claims) {
  const page = browser(t, user, claims);
  const client = shown(page, draftId);
  await page.diary.first('yjs-state-response');
  return { ...client, ...page };
}

const reads = (client, text) => eventually(`reads ${text}`, () => client.text.toString() === text);

describe("the document's client", () => {
  test('has the state on connection', async (t) => {
    const id = await draft(server);
    const one = await opens(t, 'one', id);
    one.text.insert(0, 'Dear Sir');
    const watch = await new YWebsocketEditor(t, server, id, 'watch').ready();
    await watch.reads('Dear Sir');
    const other = await opens(t, 'other', id);
    assert.equal(other.text.toString(), 'Dear Sir');
    const [first] = other.diary.all('yjs-state-response');
    assert.ok(Array.isArray(first.data), 'an array of integers');
  });

  test('tells three others what it changes, and not itself', async (t) => {
    const id = await draft(server);
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((user) => opens(t, user, id)));
    all[0].text.insert(0, 'Hello');
    await Promise.all(all.map((client) => reads(client, 'Hello')));
    all[3].text.insert(5, ' all');
    await Promise.all(all.map((client) => reads(client, 'Hello all')));
    assert.deepEqual(all.map(({ diary }) => diary.all('yjs-update').length), [1, 2, 2, 1]);
    assert.equal((await kept(server, 'a', id)).getText('text').toString(), 'Hello all');
  });

  test('tells nobody in another room', async (t) => {
    const [here, there] = [await draft(server), await draft(server)];
    const [one, other] = [await opens(t, 'one', here), await opens(t, 'other', there)];
    one.text.insert(0, 'here');
    other.text.insert(0, 'there');
    const [beside, besides] = [await opens(t, 'beside', here), await opens(t, 'besides', there)];
    await Promise.all([reads(beside, 'here'), reads(besides, 'there')]);
    assert.deepEqual([one.text.toString(), other.text.toString()], ['here', 'there']);
    assert.deepEqual([one.diary.all('yjs-update'), other.diary.all('yjs-update')], [[], []]);
  });

  test('asks for the full state, and asks again after it was cut off', async (t) => {
    const id = await draft(server);
    const one = await opens(t, 'one', id);
    one.text.insert(0, 'before');
    const other = await opens(t, 'other', id);
    await reads(other, 'before');
    other.ws.terminate();
    one.text.insert(6, ' and after');
    const again = browser(t, 'other');
    const client = shown(again, id, other.ydoc);
    await again.diary.first('yjs-state-response');
    client.ws.send(JSON.stringify({ type: 'yjs-state-request' }));
    await again.diary.until(() => again.diary.all('yjs-state-response').length === 2, 'hears it twice');
    await reads(client, 'before and after');
  });

  test('is pinged when it is silent, and stays; who does not answer is hung up on', async (t) => {
    const id = await draft(server);
    const one = await opens(t, 'one', id);
    const dead = new NodeWebSocket(`${server.url.replace('http', 'ws')}/ws?token=${tokenOf('dead')}&draftId=${id}`, { autoPong: false });
    t.after(() => dead.terminate());
    const closed = new Promise((resolve) => dead.once('close', resolve));
    let pings = 0;
    one.ws.on('ping', () => (pings += 1));
    assert.equal(await closed, 4000);
    await passes(HEARTBEAT_INTERVAL + HEARTBEAT_TIMEOUT);
    assert.ok(pings >= 2, `${pings} pings`);
    assert.deepEqual(one.diary.all('close'), []);
  });

  test('is refused with 1008 where its token is bad, or its parameters are missing', async (t) => {
    const id = await draft(server);
    for (const [draftId, claims] of [[id, { exp: 1 }], ['', {}], ['nowhere', {}], [id, { firmId: 'other' }]]) {
      const page = browser(t, 'eve', claims);
      shown(page, draftId);
      assert.equal((await page.diary.first('close')).code, 1008, draftId);
    }
  });

  test('hears an error as text for its console', async (t) => {
    const one = await opens(t, 'one', await draft(server));
    one.ws.send(JSON.stringify({ type: 'yjs-update', data: [1, 2, 3, 255] }));
    const [what, why] = await one.diary.first('console');
    assert.deepEqual([what, typeof why], ['WebSocket error:', 'string']);
  });

  test('is counted where the document counts it', async (t) => {
    await opens(t, 'one', await draft(server));
    const health = await (await fetch(`${server.url}/api/health`)).json();
    assert.deepEqual([health.status, typeof health.timestamp], ['ok', 'string']);
    assert.ok(health.websocket.connections >= 1 && health.websocket.rooms >= 1, JSON.stringify(health.websocket));
  });
});
