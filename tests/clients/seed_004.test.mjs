// A client as the document of the project feeds shows it (its events, its handlers, its statistics), unchanged but for
// where the server is, and a backend that tells the feeds what happens.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { Parlor, token } from './parlor.mjs';
import { Diary, WAYS, connected, event } from './people.mjs';
import { Proxy } from './proxy.mjs';

const EVENTS = [
  'story_uploaded',
  'story_processing',
  'story_processed',
  'transcript_updated',
  'interaction_added',
  'interaction_updated',
  'export_started',
  'export_progress',
  'export_ready',
  'export_failed',
];
const server = await Parlor.start({ after }, { RATE_LIMIT_CALLS: 100 });
let projects = 0;
const project = () =>
  server.project(`p-${(projects += 1)}`, { fay: 'facilitator', sam: 'storyteller' });

/** What the document's client does, word for word but for the address. */
function shown(t, url, yourJwtToken, projectId) {
  const told = new Diary();
  const console = { log: (line) => told.write('log', line) };
  const socket = io(url, {
    auth: {
      token: yourJwtToken,
    },
  });

  // Join project room
  socket.emit('join_project', projectId);

  // Listen for confirmation
  socket.on('joined_project', (data) => {
    console.log(`Joined project: ${data.projectId}`);
  });

  socket.on('error', (error) => {
    switch (error.code) {
      case 'PROJECT_ACCESS_DENIED':
        console.log('access denied');
        break;
      case 'RATE_LIMIT_EXCEEDED':
        console.log('rate limiting');
        break;
      default:
        console.log(`other: ${error.code}`);
    }
  });
  for (const name of EVENTS) socket.on(name, (data) => told.write(name, data));
  socket.on('left_project', (data) => console.log(`Left project: ${data.projectId}`));
  socket.on('pong', () => console.log('WebSocket healthy'));
  t.after(() => socket.disconnect());
  return { socket, told };
}

/** The backend's part: something happened in a project. */
const happens = (name, data, projectId, besides = {}) =>
  server.backend('POST', '/api/events', { event: name, data, to: { projectId }, ...besides });

test('the client of the document joins, hears every event of its project, and leaves', async (t) => {
  const projectId = await project();
  const url = server.url.replace('http', 'ws');
  const { socket, told } = shown(t, url, token('fay'), projectId);
  await told.first('log', (line) => line === `Joined project: ${projectId}`);
  const numbers = [];
  for (const [at, name] of EVENTS.entries()) {
    const data = { projectId, at: 'ignored', story: { id: `s${at}` }, uploadedBy: 'Backend' };
    const volatile = name === 'export_progress';
    const answer = await happens(name, data, projectId);
    const heard = await told.first(name);
    assert.deepEqual([heard.projectId, heard.story, heard.uploadedBy], [projectId, { id: `s${at}` }, 'Backend']);
    assert.match(heard.at, /^\d{4}-\d\d-\d\dT/);
    if (volatile) {
      assert.deepEqual([heard.seq, answer.seq], [undefined, undefined]);
    } else {
      assert.equal(heard.seq, answer.seq);
      numbers.push(heard.seq);
    }
    assert.equal(answer.delivered, 1);
  }
  assert.deepEqual(numbers, numbers.map((_, at) => at + 1));
  socket.emit('ping');
  await told.first('log', (line) => line === 'WebSocket healthy');
  socket.emit('leave_project', projectId);
  await told.first('log', (line) => line === `Left project: ${projectId}`);
  assert.equal((await happens('story_uploaded', { late: true }, projectId)).delivered, 0);
});

test('the client of the document is refused where it is no member, and goes on', async (t) => {
  const projectId = await project();
  const { socket, told } = shown(t, server.url, token('eve'), projectId);
  await told.first('log', (line) => line === 'access denied');
  const answer = await socket.emitWithAck('join_project', projectId);
  assert.deepEqual([answer.ok, answer.error.code], [false, 'PROJECT_ACCESS_DENIED']);
  assert.equal(socket.connected, true);
});

test('the hundredth call in a minute is the last, and pings are free', async (t) => {
  const projectId = await server.project('p-max', { max: 'storyteller' });
  const { socket, told } = shown(t, server.url, token('max'), projectId);
  await told.first('log');
  for (let at = 0; at < 10; at += 1) socket.emit('ping');
  for (let at = 0; at < 100; at += 1) socket.emit('join_project', projectId);
  await told.first('log', (line) => line === 'rate limiting');
  await socket.emitWithAck('ping');
  assert.equal(told.all('log').filter((line) => line === 'rate limiting').length, 1);
  assert.equal(socket.connected, true);
});

for (const [way, options] of Object.entries(WAYS)) {
  describe(`a member who is connected ${way}`, () => {
    test('is cut off, and hears what happened meanwhile once and in order', async (t) => {
      const projectId = await project();
      const proxy = await Proxy.start(t, server);
      const fay = await connected(t, proxy, 'fay', options);
      const joined = await fay.emitWithAck('join_project', { projectId });
      assert.deepEqual(joined, { ok: true, projectId, lastSeq: 0 });
      await happens('story_uploaded', { n: 1 }, projectId);
      await fay.diary.first('story_uploaded');
      const gone = event(fay, 'disconnect');
      proxy.cut();
      await gone;
      for (const n of [2, 3]) await happens('story_uploaded', { n }, projectId);
      const back = event(fay, 'connect');
      proxy.mend();
      await back;
      assert.equal(fay.recovered, true);
      await happens('story_uploaded', { n: 4 }, projectId);
      await fay.diary.until(() => fay.diary.all('story_uploaded').length >= 4);
      assert.deepEqual(fay.diary.all('story_uploaded').map(({ n, seq }) => [n, seq]), [1, 2, 3, 4].map((n) => [n, n]));
    });

    test('joins with what it has heard, and hears the rest before anything new', async (t) => {
      const projectId = await project();
      for (const n of [1, 2, 3]) await happens('story_processed', { n }, projectId);
      const sam = await connected(t, server, 'sam', options);
      sam.emit('join_project', { projectId, since: 1 });
      const { lastSeq } = await sam.diary.first('joined_project');
      assert.equal(lastSeq, 3);
      await happens('story_processed', { n: 4 }, projectId);
      await sam.diary.until(() => sam.diary.all('story_processed').length >= 3);
      assert.deepEqual(sam.diary.all('story_processed').map(({ seq }) => seq), [2, 3, 4]);
    });

    test('hears what its role may hear, and nothing after its membership', async (t) => {
      const projectId = await project();
      const [fay, sam] = await Promise.all(['fay', 'sam'].map((user) => connected(t, server, user, options)));
      for (const member of [fay, sam]) await member.emitWithAck('join_project', projectId);
      await happens('interaction_added', { n: 1 }, projectId, { role: 'facilitator' });
      await happens('interaction_added', { n: 2 }, projectId);
      await sam.diary.first('interaction_added', ({ n }) => n === 2);
      assert.deepEqual(sam.diary.all('interaction_added').map(({ n }) => n), [2]);
      await server.backend('DELETE', `/api/admin/rooms/project/${projectId}/members/sam`);
      await sam.diary.first('left_project');
      await happens('interaction_added', { n: 3 }, projectId);
      await fay.diary.first('interaction_added', ({ n }) => n === 3);
      assert.deepEqual(fay.diary.all('interaction_added').map(({ n }) => n), [1, 2, 3]);
      await sam.emitWithAck('ping');
      assert.deepEqual(sam.diary.all('interaction_added').map(({ n }) => n), [2]);
    });
  });
}

test('the same event under one key is told once', async (t) => {
  const projectId = await project();
  const fay = await connected(t, server, 'fay');
  await fay.emitWithAck('join_project', projectId);
  const post = () =>
    fetch(`${server.url}/api/events`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer the key of the backend in the tests',
        'content-type': 'application/json',
        'idempotency-key': 'export-7',
      },
      body: JSON.stringify({ event: 'export_ready', data: { n: 1 }, to: { projectId } }),
    }).then(async (answer) => [answer.status, (await answer.json()).seq]);
  assert.deepEqual([await post(), await post()], [[202, 1], [202, 1]]);
  await happens('export_ready', { n: 2 }, projectId);
  await fay.diary.first('export_ready', ({ n }) => n === 2);
  assert.deepEqual(fay.diary.all('export_ready').map(({ n }) => n), [1, 2]);
});

test('health and statistics have the shapes of the document', async (t) => {
  const projectId = await project();
  const fay = await connected(t, server, 'fay');
  await fay.emitWithAck('join_project', projectId);
  const health = await (await fetch(`${server.url}/api/websocket/health`)).json();
  assert.equal(health.status, 'ok');
  assert.ok(health.websocket.connections >= 1);
  const stats = await server.backend('GET', '/api/websocket/stats');
  assert.deepEqual(stats.projectConnections.find((it) => it.projectId === projectId), { projectId, connectionCount: 1 });
  assert.ok(stats.totalConnections >= 1 && stats.projectCount >= 1 && stats.userCount >= 1);
  const { rateLimitWindow, maxEventsPerWindow } = stats.rateLimitStats;
  assert.deepEqual([rateLimitWindow, maxEventsPerWindow], [60_000, 100]);
});
