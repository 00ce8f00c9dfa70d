// Project feeds, and everything over one connection, against a running server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat, WebSocketClient } from '../parlor.js';
import { Parlor, token } from '../../../tests/clients/parlor.mjs';
import { next } from './next.mjs';

/** A server with a project that Ada facilitates and Ben tells stories in. */
async function withProject(t) {
  const server = await Parlor.start(t);
  await server.backend('PUT', '/api/admin/rooms/project/saga', { name: 'Saga', firmId: 'acme' });
  await server.backend('PUT', '/api/admin/rooms/project/saga/members/ada', { role: 'facilitator' });
  await server.backend('PUT', '/api/admin/rooms/project/saga/members/ben', { role: 'storyteller' });
  return server;
}

function projects(t, server, user) {
  const url = server.url.replace('http', 'ws');
  const made = new WebSocketClient({ url, token: token(user), autoReconnect: true, reconnectAttempts: 50, reconnectDelay: 20 });
  t.after(() => made.disconnect());
  return made;
}

const say = (server, event, data, more = {}) => server.backend('POST', '/api/events', { event, data, to: { projectId: 'saga' }, ...more });
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Keeps the stories that are heard. */
function stories(client) {
  const heard = [];
  client.onStoryUploaded((story) => heard.push(story));
  const all = (count) => (heard.length >= count ? Promise.resolve() : next(client.client, 'story_uploaded', () => heard.length >= count));
  return { heard, all };
}

test('members of a project hear what backends say', async (t) => {
  const server = await withProject(t);
  const ada = projects(t, server, 'ada');
  await ada.connect();
  assert.deepEqual(await ada.joinProject('saga'), { projectId: 'saga', lastSeq: 0 });
  assert.match((await ada.ping()).timestamp, /^\d{4}-\d\d-\d\dT/);
  const story = next(ada.client, 'story_uploaded');
  const progress = next(ada.client, 'export_progress');
  assert.equal((await say(server, 'story_uploaded', { title: 'Once' })).seq, 1);
  await say(server, 'export_progress', { percent: 40 });
  const { title, projectId, seq } = await story;
  assert.deepEqual([title, projectId, seq], ['Once', 'saga', 1]);
  assert.deepEqual([(await progress).percent, (await progress).seq], [40, undefined]);
  assert.deepEqual(await ada.leaveProject('saga'), { projectId: 'saga' });
});

test('a project of others is refused', async (t) => {
  const server = await withProject(t);
  const cleo = projects(t, server, 'cleo');
  await cleo.connect();
  await assert.rejects(cleo.joinProject('saga'), { code: 'PROJECT_ACCESS_DENIED', recoverable: false });
});

test('what a project is told while the server is killed and started again is heard once and in order', async (t) => {
  const server = await withProject(t);
  const [ada, ben] = [projects(t, server, 'ada'), projects(t, server, 'ben')];
  const heard = [ada, ben].map(stories);
  for (const one of [ada, ben]) {
    await one.connect();
    await one.joinProject('saga');
  }
  for (const number of numbers(1, 10)) await say(server, 'story_uploaded', { number });
  await server.stop('SIGKILL');
  await server.restart();
  for (const number of numbers(11, 20)) await say(server, 'story_uploaded', { number });
  for (const one of heard) {
    await one.all(20);
    assert.deepEqual(one.heard.map(({ seq, number }) => [seq, number]), numbers(1, 20).map((number) => [number, number]));
  }
});

test('whoever comes back hears what came after what the app has', async (t) => {
  const server = await withProject(t);
  for (const number of numbers(1, 5)) await say(server, 'story_uploaded', { number });
  const ada = projects(t, server, 'ada');
  const { heard, all } = stories(ada);
  await ada.connect();
  await ada.joinProject('saga', { since: 2 });
  await all(3);
  assert.deepEqual(heard.map(({ seq }) => seq), [3, 4, 5]);
});

test('one connection sits in a chat room and follows a project', async (t) => {
  const server = await withProject(t);
  const ada = projects(t, server, 'ada');
  const chat = new Chat(ada.client);
  await ada.connect();
  await chat.createRoom({ roomId: 'team', name: 'Team', visibility: 'public' });
  await Promise.all([chat.joinRoom('team'), ada.joinProject('saga')]);
  const { heard, all } = stories(ada);
  await server.stop('SIGKILL');
  const sent = chat.sendMessage('team', 'Hello');
  await server.restart();
  await say(server, 'story_uploaded', { number: 1 });
  assert.equal((await sent).seq, 1);
  await all(1);
  assert.deepEqual(heard.map(({ seq }) => seq), [1]);
});

test('what is told to a user and to everyone is heard once, across a lost connection too', async (t) => {
  const server = await withProject(t);
  const ada = projects(t, server, 'ada');
  const heard = [];
  ada.client.on('note', ({ n, feed }) => heard.push([n, feed]));
  await ada.connect();
  await ada.joinFeed();
  const note = (n, to) => server.backend('POST', '/api/events', { event: 'note', data: { n }, to });
  await note(1, { userId: 'ada' });
  await note(2, { all: true });
  await note(3, { userId: 'ben' });
  await server.stop('SIGKILL');
  await server.restart();
  await note(4, { all: true });
  const last = next(ada.client, 'note', ({ n }) => n === 5);
  await note(5, { userId: 'ada' });
  await last;
  const of = (feed) => heard.filter((one) => one[1] === feed).map(([n]) => n);
  assert.deepEqual([of('user'), of('all')], [[1, 5], [2, 4]]);
});
