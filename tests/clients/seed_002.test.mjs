// The client of the document of the real-time dashboards: its three examples unchanged but for the address and the
// token, and a client as its interfaces say, which keeps what it could not send and sends it again.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import WebSocket from 'ws';
import { Parlor, token } from './parlor.mjs';
import { Diary } from './people.mjs';

const server = await Parlor.startSteady({ after });
const run = promisify(execFile);

/** What curl prints, with a token. */
const curl = async (user, ...given) => {
  const { stdout } = await run('curl', ['-s', '-H', `Authorization: Bearer ${token(user)}`, ...given]);
  return JSON.parse(stdout);
};

test('the connection check of the document answers where to connect, and who one is', async () => {
  const answer = await curl('ada', `${server.url}/api/realtime`);
  assert.deepEqual(answer, {
    status: 'ok',
    wsUrl: `ws://127.0.0.1:${server.port}/api/realtime`,
    user: { id: 'ada', name: 'ada' },
    seq: 0,
  });
});

test('the sync of the document answers with results and the whole board', async () => {
  const answer = await curl(
    'ada',
    '-X',
    'POST',
    `${server.url}/api/realtime`,
    '-H',
    'Content-Type: application/json',
    '-d',
    '{"type":"SYNC","operations":[]}',
  );
  const sync = { seq: 0, full: true, widgets: [], removed: [], layout: null };
  assert.deepEqual(answer, { results: [], sync });
});

test('the WebSocket of the document opens, whatever user it names, and its messages are JSON', async (t) => {
  const told = new Diary();
  const console = { log: (...words) => told.write('log', words) };
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/api/realtime?userId=test&token=${token('ada')}`);
  ws.onopen = () => console.log('Connected!');
  ws.onmessage = (e) => console.log('Message:', JSON.parse(e.data));
  t.after(() => ws.close());
  await told.first('log', (words) => words[0] === 'Connected!');
  ws.send(JSON.stringify({ type: 'SYNC_REQUEST', id: 'm1', timestamp: new Date(), userId: 'test', payload: {} }));
  const [, message] = await told.first('log', (words) => words[0] === 'Message:');
  assert.deepEqual([message.type, message.userId, message.correlationId], ['SYNC_RESPONSE', 'ada', 'm1']);
  assert.ok(typeof message.id === 'string' && !Number.isNaN(Date.parse(message.timestamp)));
});

/** A client as the document's interfaces say: messages with an id each, and a queue of what is not acknowledged. */
class Dashboard {
  constructor(user, dashboard) {
    Object.assign(this, { user, dashboard, pending: new Map(), widgets: new Map(), diary: new Diary(), seq: 0 });
    this.connect();
  }

  connect() {
    const query = `dashboardId=${this.dashboard}&token=${token(this.user)}`;
    this.ws = new WebSocket(`ws://127.0.0.1:${server.port}/api/realtime?${query}`);
    this.ws.onopen = () => {
      this.send('SYNC_REQUEST', this.seq ? { since: this.seq } : {});
      for (const message of this.pending.values()) this.ws.send(JSON.stringify(message));
    };
    this.ws.onmessage = (e) => this.on(JSON.parse(e.data));
    this.ws.onerror = () => {};
    this.ws.onclose = () => this.done || setTimeout(() => this.connect(), 50);
  }

  send(type, payload) {
    const message = { type, id: randomUUID(), timestamp: new Date(), userId: this.user, payload };
    if (type.startsWith('WIDGET')) this.pending.set(message.id, message);
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify(message));
    return message.id;
  }

  on({ type, userId, payload, correlationId }) {
    const asked = this.pending.get(correlationId);
    if (type === 'SYNC_RESPONSE') {
      if (payload.full) this.widgets.clear();
      for (const { widgetId, value } of payload.widgets) this.widgets.set(widgetId, value);
      for (const id of payload.removed) this.widgets.delete(id);
    } else if (type === 'ACK' && asked) {
      this.pending.delete(correlationId);
      this.apply(asked.payload);
    } else if (type === 'WIDGET_UPDATE') {
      this.apply(payload);
    }
    this.seq = Math.max(this.seq, payload.seq ?? 0);
    this.diary.write(type, { userId, payload, correlationId });
  }

  apply({ widgetId, changes }) {
    this.widgets.set(widgetId, { ...this.widgets.get(widgetId), ...changes });
  }

  close() {
    this.done = true;
    this.ws.close();
  }
}

test('what could not be sent is sent again, applied once, and seen by all after the server was killed', async (t) => {
  await server.backend('PUT', '/api/admin/rooms/dashboard/sales', { name: 'Sales', firmId: 'acme' });
  const people = ['ada', 'ben', 'ada'].map((user) => new Dashboard(user, 'sales'));
  t.after(() => people.forEach((person) => person.close()));
  const [ada, ben, mirror] = people;
  for (const person of people) await person.diary.first('SYNC_RESPONSE');
  ada.send('WIDGET_UPDATE', { widgetId: 'w', changes: { title: 'Sales' } });
  const heard = await ben.diary.first('WIDGET_UPDATE');
  assert.deepEqual([heard.userId, heard.payload.version], ['ada', 1]);
  await mirror.diary.first('WIDGET_UPDATE');
  assert.equal(ada.diary.all('WIDGET_UPDATE').length, 0, 'the sender does not hear its own');

  for (let number = 0; number < 50; number += 1) {
    people[number % 3].send('WIDGET_UPDATE', { widgetId: `w${number % 5}`, changes: { [`f${number}`]: number } });
    if (number === 25) await server.stop('SIGKILL');
  }
  await server.restart();
  for (const person of people) {
    for (let tries = 0; person.pending.size > 0; tries += 1) {
      assert.ok(tries < 200, `${person.pending.size} operations of ${person.user} are not acknowledged`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const log = await server.backend('GET', '/api/admin/rooms/dashboard/sales/log?limit=1000');
  assert.deepEqual([log.lastSeq, new Set(log.entries.map(({ id }) => id)).size], [51, 51]);
  for (let number = 0; number < 50; number += 1) {
    const made = log.entries.filter(({ body }) => Object.hasOwn(body.changes, `f${number}`));
    assert.equal(made.length, 1, `f${number} is applied once`);
  }
  const fresh = new Dashboard('cleo', 'sales');
  t.after(() => fresh.close());
  await fresh.diary.first('SYNC_RESPONSE');
  for (const person of people) {
    person.send('SYNC_REQUEST', {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(Object.fromEntries(person.widgets), Object.fromEntries(fresh.widgets));
  }
});
