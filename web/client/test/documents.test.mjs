// Guided documents against a running server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DocAPI } from '../parlor.js';
import { Parlor, token } from '../../../tests/clients/parlor.mjs';

const LETTER = {
  name: 'Letter',
  questions: [
    { key: 'to', question: 'To whom?' },
    { key: 'text', question: 'What do you write?' },
  ],
  body: 'Dear {{to}}, {{text}}',
};

async function withLetter(t) {
  const server = await Parlor.start(t);
  await server.backend('PUT', '/api/admin/templates/letter', LETTER);
  return server;
}

function documents(t, server) {
  const made = new DocAPI({ url: server.url, reconnectDelay: 20 });
  t.after(() => made.close());
  return made;
}

/** The next message of this type. */
function next(api, type) {
  return new Promise((resolve) => {
    const off = api.onMessage(type, (message) => {
      off();
      resolve(message);
    });
  });
}

/** All questions that the app was told. */
function questions(api) {
  const heard = [];
  api.onMessage('next_question', ({ question }) => heard.push(question));
  return heard;
}

test('a document is written as its users know it, with one session for the app', async (t) => {
  const server = await withLetter(t);
  DocAPI.configure({ url: server.url });
  t.after(() => DocAPI.close());
  const complete = new Promise((resolve) => DocAPI.onMessage('document_complete', resolve));
  const closed = new Promise((resolve) => DocAPI.onMessage('closed', resolve));
  const sessionId = await DocAPI.startSession(token('ada'), 'letter');
  assert.deepEqual(await DocAPI.sendMessage('Ben'), { turn: 2 });
  assert.deepEqual(await DocAPI.sendMessage('Hello.'), { turn: 4 });
  const { documentId, ...rest } = await complete;
  assert.deepEqual(rest, { type: 'document_complete', sessionId });
  assert.deepEqual(await closed, { type: 'closed', code: 1000, reason: 'finished' });
  const { markdown } = await server.get(`/api/documents/${documentId}`, 'ada');
  assert.equal(markdown, 'Dear Ben, Hello.');
});

test('a server that is killed between question and answer is come back to, and the answer is saved once', async (t) => {
  const server = await withLetter(t);
  const api = documents(t, server);
  const heard = questions(api);
  const first = next(api, 'next_question');
  const sessionId = await api.startSession(token('ada'), 'letter');
  await first;
  await server.stop('SIGKILL');
  const answer = api.sendMessage('Ben');
  const second = api.sendMessage('Hello.');
  const resumed = next(api, 'session_resumed');
  const complete = next(api, 'document_complete');
  await server.restart();
  const { sessionId: same, history } = await resumed;
  assert.equal(same, sessionId);
  assert.deepEqual(history.map(({ turn, content }) => [turn, content]), [[1, 'To whom?']]);
  assert.deepEqual(await answer, { turn: 2 });
  assert.deepEqual(await second, { turn: 4 });
  const { documentId } = await complete;
  assert.deepEqual(heard, ['To whom?', 'What do you write?']);
  assert.equal((await server.get(`/api/documents/${documentId}`, 'ada')).markdown, 'Dear Ben, Hello.');
});

test('an answer that was under way when the server was killed is saved once', async (t) => {
  const server = await withLetter(t);
  const api = documents(t, server);
  const heard = questions(api);
  const first = next(api, 'next_question');
  await api.startSession(token('ada'), 'letter');
  await first;
  const answer = api.sendMessage('Ben');
  await server.stop('SIGKILL');
  const second = api.sendMessage('Hello.');
  const complete = next(api, 'document_complete');
  await server.restart();
  assert.deepEqual(await answer, { turn: 2 });
  assert.deepEqual(await second, { turn: 4 });
  const { documentId } = await complete;
  assert.deepEqual(heard, ['To whom?', 'What do you write?']);
  assert.equal((await server.get(`/api/documents/${documentId}`, 'ada')).markdown, 'Dear Ben, Hello.');
});

test('a session is resumed with its history', async (t) => {
  const server = await withLetter(t);
  const before = documents(t, server);
  const sessionId = await before.startSession(token('ada'), 'letter');
  await before.sendMessage('Ben');
  before.close();
  const api = documents(t, server);
  const resumed = next(api, 'session_resumed');
  const question = next(api, 'next_question');
  assert.equal(await api.startSession(token('ada'), 'letter'), sessionId);
  assert.deepEqual((await resumed).history.map(({ content }) => content), ['To whom?', 'Ben', 'What do you write?']);
  assert.equal((await question).question, 'What do you write?');
  const closed = next(api, 'closed');
  assert.notEqual(await documents(t, server).startSession(token('ada'), 'letter', { fresh: true }), sessionId);
  assert.equal((await closed).code, 4001);
});

test('a session that was completed on another device while this one was away hands over its document', async (t) => {
  const server = await withLetter(t);
  // This one returns only after the other has finished.
  let isAway = false;
  let letBack;
  const wait = new Promise((resolve) => (letBack = resolve));
  const api = documents(t, server);
  const first = next(api, 'next_question');
  const sessionId = await api.startSession(async () => {
    if (isAway) await wait;
    return token('ada');
  }, 'letter');
  await first;
  isAway = true;
  const lost = next(api, 'waiting');
  await server.stop('SIGKILL');
  await lost;
  const answer = api.sendMessage('Cleo');
  await server.restart();
  const other = documents(t, server);
  assert.equal(await other.startSession(token('ada'), 'letter'), sessionId);
  const finished = next(other, 'document_complete');
  await other.sendMessage('Ben');
  await other.sendMessage('Hello.');
  const { documentId } = await finished;

  const complete = next(api, 'document_complete');
  letBack();
  assert.deepEqual(await complete, { type: 'document_complete', sessionId, documentId });
  await assert.rejects(answer, { code: 'CONFLICT' });
});

test('an answer to a question that was answered elsewhere is not saved as the answer to the next one', async (t) => {
  const server = await withLetter(t);
  const api = documents(t, server);
  const first = next(api, 'next_question');
  let isAway = false;
  let letBack;
  const wait = new Promise((resolve) => (letBack = resolve));
  const sessionId = await api.startSession(async () => {
    if (isAway) await wait;
    return token('ada');
  }, 'letter');
  await first;
  isAway = true;
  const lost = next(api, 'waiting');
  await server.stop('SIGKILL');
  await lost;
  const answer = api.sendMessage('Cleo');
  await server.restart();
  const other = documents(t, server);
  assert.equal(await other.startSession(token('ada'), 'letter'), sessionId);
  await other.sendMessage('Ben');
  letBack();
  await assert.rejects(answer, { code: 'CONFLICT', message: 'the question was answered elsewhere' });
});

test('a template that is not there is refused', async (t) => {
  const server = await withLetter(t);
  await assert.rejects(documents(t, server).startSession(token('ada'), 'none'), { code: 'CONNECTION_LOST' });
});
