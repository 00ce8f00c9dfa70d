// Coming in: each way to connect, and each reason to be kept out.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Parlor, seconds, token } from './parlor.mjs';
import { WAYS, call, client, connected, connects, event, refusal } from './people.mjs';

const AUTH_FAILED = { message: 'authentication failed', data: { code: 'AUTH_FAILED' } };
const server = await Parlor.start({ after });
await server.room('team');

test('a client with default options polls first and is upgraded', async (t) => {
  const ada = client(t, server, 'ada');
  const opened = event(ada, 'connect');
  ada.connect();
  const { engine } = ada.io;
  const upgraded = event(engine, 'upgrade');
  assert.equal(engine.transport.name, 'polling');
  await Promise.all([opened, upgraded]);
  assert.equal(engine.transport.name, 'websocket');
  assert.deepEqual([ada.connected, ada.recovered, ada.active], [true, false, true]);
  assert.notEqual(ada.id, engine.id, 'the name in the namespace is not that of the session');
  await call(ada, 'ping');
});

for (const [way, options] of Object.entries(WAYS)) {
  describe(`a client that connects ${way}`, () => {
    test('is on the transport it wants', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      assert.equal(ada.io.engine.transport.name, options.transports?.[0] ?? 'websocket');
    });

    test('is refused with a token that nobody signed, and may come in with a better one', async (t) => {
      const ada = client(t, server, null, { ...options, auth: { token: token('ada', {}, 'another secret') } });
      assert.deepEqual(await refusal(ada), AUTH_FAILED);
      assert.deepEqual([ada.connected, ada.active], [false, false], 'and does not try again by itself');
      ada.auth = { token: token('ada') };
      await connects(ada);
      await call(ada, 'ping');
    });

    test('is refused with a token that is over', async (t) => {
      const over = token('ada', { exp: seconds() - 60 });
      assert.deepEqual(await refusal(client(t, server, null, { ...options, auth: { token: over } })), AUTH_FAILED);
    });

    test('is refused without a token', async (t) => {
      assert.deepEqual(await refusal(client(t, server, null, options)), AUTH_FAILED);
    });

    test('is refused with two tokens that disagree, and let in with two that agree', async (t) => {
      const extraHeaders = { authorization: `Bearer ${token('ben')}` };
      assert.deepEqual(await refusal(client(t, server, 'ada', { ...options, extraHeaders })), AUTH_FAILED);
      const same = token('ada');
      const agreeing = { extraHeaders: { authorization: `Bearer ${same}` }, query: { token: same } };
      await connected(t, server, null, { ...options, ...agreeing, auth: { token: same } });
    });

    test('is let in with a token in the query or in the header alone', async (t) => {
      await connected(t, server, null, { ...options, query: { token: token('ada') } });
      const extraHeaders = { authorization: `Bearer ${token('ada')}` };
      await connected(t, server, null, { ...options, extraHeaders });
    });

    test('is asked for its token again at each connection', async (t) => {
      const tokens = [token('ada', {}, 'another secret'), token('ada')];
      const ada = client(t, server, null, { ...options, auth: (give) => give({ token: tokens.shift() }) });
      assert.deepEqual(await refusal(ada), AUTH_FAILED);
      await connects(ada);
    });

    test('hears of a namespace that there is none, while the default one goes on', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      const elsewhere = ada.io.socket('/elsewhere', { auth: ada.auth });
      assert.deepEqual(await refusal(elsewhere), { message: 'Invalid namespace', data: undefined });
      await call(ada, 'ping');
    });

    test('goes, and comes again as another', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      const first = ada.id;
      const gone = event(ada, 'disconnect');
      ada.disconnect();
      assert.deepEqual((await gone)[0], 'io client disconnect');
      await connects(ada);
      assert.notEqual(ada.id, first);
      await call(ada, 'ping');
    });
  });
}

test('the connections of one user are counted over all transports', async (t) => {
  const few = await Parlor.start(t, { CONNECTIONS_PER_USER: 2 });
  await connected(t, few, 'ada', WAYS['by polling alone']);
  const second = await connected(t, few, 'ada');
  const third = client(t, few, 'ada', WAYS['over WebSocket alone']);
  const { message, data } = await refusal(third);
  assert.equal(message, 'over the limit of 2 connections of one user');
  assert.equal(data.code, 'RATE_LIMITED');
  const gone = event(second, 'disconnect');
  second.disconnect();
  await gone;
  await call(await connected(t, few, 'ben'), 'ping');
  await connects(third);
});
