// The chat against a running server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat, ParlorError } from '../parlor.js';
import { Parlor, seconds, token } from '../../../tests/clients/parlor.mjs';
import { next } from './next.mjs';

/** A chat of this user's, that ends with the test. */
function chat(test, server, user, options = {}) {
  const made = new Chat({ url: server.url, token: () => token(user), reconnectDelay: 20, ...options });
  test.after(() => made.disconnect());
  return made;
}

/** Keeps what is heard, and tells when there is so much of it. */
function listen(client) {
  const heard = [];
  client.onMessage((message) => heard.push(message));
  const all = (count) => (heard.length >= count ? Promise.resolve() : next(client.client, 'chat:message:received', () => heard.length >= count));
  return { heard, all };
}

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('two people talk', async (t) => {
  const server = await Parlor.start(t);
  const [ada, ben] = [chat(t, server, 'ada'), chat(t, server, 'ben')];
  await Promise.all([ada.connect(), ben.connect()]);
  const created = await ada.createRoom({ roomId: 'team', name: 'Team', visibility: 'public' });
  assert.deepEqual(created, { roomId: 'team', name: 'Team' });
  await ada.joinRoom('team');
  const joined = await ben.joinRoom('team');
  assert.deepEqual([joined.name, joined.lastSeq, joined.messages], ['Team', 0, []]);

  const message = next(ben.client, 'chat:message:received');
  const { seq, deliveryStatus } = await ada.sendMessage('team', 'Hello', { metadata: { mood: 'fine' } });
  assert.deepEqual([seq, deliveryStatus], [1, 'delivered']);
  const { senderId, content, metadata } = await message;
  assert.deepEqual([senderId, content, metadata], ['ada', 'Hello', { mood: 'fine' }]);

  const page = await ben.history('team', { limit: 10 });
  assert.deepEqual(page.messages.map((one) => one.content), ['Hello']);
  assert.deepEqual(await ben.leaveRoom('team'), { roomId: 'team' });
});

test('a refusal is an error with its code', async (t) => {
  const server = await Parlor.start(t);
  const ada = chat(t, server, 'ada');
  await ada.connect();
  await assert.rejects(ada.joinRoom('nowhere'), (error) => {
    assert.ok(error instanceof ParlorError);
    assert.deepEqual([error.code, error.recoverable], ['ROOM_ACCESS_DENIED', false]);
    return true;
  });
});

test('who is not let in hears why, and does not try again', async (t) => {
  const server = await Parlor.start(t);
  const nobody = chat(t, server, 'ada', { token: 'nonsense' });
  await assert.rejects(nobody.connect(), { code: 'CONNECTION_LOST', details: { code: 1008, reason: 'authentication failed' } });
  assert.equal(nobody.client.state, 'closed');
});

for (const round of [1, 2, 3]) {
  test(`a server that is killed loses nothing and repeats nothing: round ${round}`, async (t) => {
    const server = await Parlor.start(t);
    const [ada, phone, ben] = [chat(t, server, 'ada'), chat(t, server, 'ada'), chat(t, server, 'ben')];
    await Promise.all([ada, phone, ben].map((one) => one.connect()));
    await ada.createRoom({ roomId: 'team', name: 'Team', visibility: 'public' });
    for (const one of [ada, phone, ben]) await one.joinRoom('team');
    const [atAda, atPhone, atBen] = [ada, phone, ben].map(listen);

    let answered = 0;
    let enough;
    const someAreAnswered = new Promise((resolve) => (enough = resolve));
    const send = (from, to) =>
      numbers(from, to).map(async (number) => {
        const { seq } = await ada.sendMessage('team', `${number}`);
        answered += 1;
        if (answered === 7 * round) enough();
        return seq;
      });
    const seqs = send(1, 60);
    await someAreAnswered;
    await server.stop('SIGKILL');
    const fromBen = ben.sendMessage('team', 'written while nobody was there');
    const more = send(61, 70);
    await server.restart();

    const stored = await Promise.all([...seqs, ...more]);
    const own = (await fromBen).seq;
    await Promise.all([atPhone.all(71), atBen.all(70), atAda.all(1)]);
    assert.deepEqual([...stored, own].sort((one, other) => one - other), numbers(1, 71));
    const contents = (heard) => heard.map(({ content }) => content);
    assert.deepEqual(atPhone.heard.map(({ seq }) => seq), numbers(1, 71));
    assert.deepEqual(contents(atBen.heard), numbers(1, 70).map(String));
    assert.deepEqual(contents(atAda.heard), ['written while nobody was there']);

    const page = await ben.history('team', { limit: 200 });
    assert.deepEqual(page.messages.map(({ seq }) => seq), numbers(1, 71));
    assert.deepEqual(contents(page.messages.filter(({ senderId }) => senderId === 'ada')), numbers(1, 70).map(String));
  });
}

test('what was said while one was away is told when coming back, more than a page of it too', async (t) => {
  const server = await Parlor.start(t);
  const [ada, ben] = [chat(t, server, 'ada'), chat(t, server, 'ben')];
  await Promise.all([ada.connect(), ben.connect()]);
  await ada.createRoom({ roomId: 'team', name: 'Team', visibility: 'public' });
  await ada.joinRoom('team');
  await ben.joinRoom('team');
  const atBen = listen(ben);
  ben.disconnect();
  await Promise.all(numbers(1, 450).map((number) => ada.sendMessage('team', `${number}`)));
  await ben.connect();
  await ben.joinRoom('team', { since: 0 });
  await atBen.all(250);
  assert.deepEqual(atBen.heard.map(({ seq }) => seq), numbers(201, 450));
});

test('who was told that joining took too long is not in the room', async (t) => {
  const server = await Parlor.start(t);
  const [ada, ben] = [chat(t, server, 'ada'), chat(t, server, 'ben')];
  await Promise.all([ada.connect(), ben.connect()]);
  await ada.createRoom({ roomId: 'team', name: 'Team', visibility: 'public' });
  await ada.joinRoom('team');
  const atBen = listen(ben);
  server.signal('SIGSTOP');
  await assert.rejects(ben.joinRoom('team', { timeout: 50 }), { code: 'CONNECTION_LOST' });
  server.signal('SIGCONT');
  const hasHeardAll = () => ben.leaveRoom('another');
  await hasHeardAll();
  await ada.sendMessage('team', 'Is Ben here?');
  await hasHeardAll();
  assert.deepEqual(atBen.heard, []);
  const { messages } = await ben.joinRoom('team');
  assert.deepEqual(messages.map(({ content }) => content), ['Is Ben here?']);
});

test('who settles an escalation hears what follows without joining anew', async (t) => {
  const server = await Parlor.start(t);
  const sue = chat(t, server, 'sue', { token: () => token('sue', { userType: 'supervisor' }) });
  const ada = chat(t, server, 'ada');
  await Promise.all([ada.connect(), sue.connect()]);
  await ada.createRoom({ roomId: 'team', name: 'Team', visibility: 'public' });
  await ada.joinRoom('team');
  await sue.joinRoom('team');
  let rejoins = 0;
  sue.client.on('rejoined', () => (rejoins += 1));
  const { escalationId } = await ada.escalate('team', 'A customer is angry');
  assert.equal((await sue.resolveEscalation(escalationId)).seq, 2);
  const said = next(sue.client, 'chat:message:received');
  await ada.sendMessage('team', 'Thank you');
  assert.deepEqual([(await said).seq, rejoins], [3, 0]);
});

test('a server that is asked to stop says so, and is come back to', async (t) => {
  const server = await Parlor.start(t);
  const ada = chat(t, server, 'ada');
  await ada.connect();
  const goodbye = next(ada.client, 'server_shutdown');
  const waiting = next(ada.client, 'waiting');
  await server.stop('SIGTERM');
  const { reason, reconnectAfterMs } = await goodbye;
  assert.deepEqual([reason, reconnectAfterMs], ['restarting', 1_000]);
  const { code, delayMs } = await waiting;
  assert.equal(code, 1012);
  assert.ok(delayMs > 900 && delayMs <= 1_020, `${delayMs}`);
  const open = next(ada.client, 'open');
  await server.restart();
  await open;
});

test('a token that ends is renewed while connected', async (t) => {
  const server = await Parlor.start(t);
  let asked = 0;
  const short = () => {
    asked += 1;
    return token('ada', { exp: seconds() + (asked === 1 ? 61 : 3_600) });
  };
  const ada = chat(t, server, 'ada', { token: short });
  const refreshed = next(ada.client, 'auth:refreshed');
  await ada.connect();
  const { expiresAt } = await refreshed;
  assert.ok(Date.parse(expiresAt) - Date.now() > 3_500_000, expiresAt);
  assert.equal(asked, 2);
});
