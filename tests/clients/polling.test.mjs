// HTTP long-polling by hand: what browsers need of it, and what no client does.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Parlor } from './parlor.mjs';
import { call, connected, says } from './people.mjs';
import { Session, entered, opened, request } from './raw.mjs';

const ALLOWED = 'https://app.example';
const server = await Parlor.start({ after }, { ALLOWED_ORIGINS: ALLOWED });
await server.room('team', ['ada', 'ben']);

const gone = async (session) => {
  const answer = await session.poll();
  assert.deepEqual([answer.status, answer.json()], [400, { code: 1, message: 'Session ID unknown' }]);
};

test('a page of an allowed origin may poll with credentials', async () => {
  const opening = await request(server, 'EIO=4&transport=polling', { headers: { origin: ALLOWED } });
  assert.equal(opening.status, 200);
  const headers = ['access-control-allow-origin', 'access-control-allow-credentials', 'vary', 'cache-control'];
  assert.deepEqual(headers.map((name) => opening.headers.get(name)), [ALLOWED, 'true', 'Origin', 'no-store']);
  const { sid } = JSON.parse(opening.text.slice(1));
  const said = { method: 'POST', body: '40', headers: { origin: ALLOWED } };
  const posted = await request(server, `EIO=4&transport=polling&sid=${sid}`, said);
  assert.deepEqual([posted.status, posted.text, posted.headers.get(headers[0])], [200, 'ok', ALLOWED]);
  const unknown = await request(server, 'EIO=4&transport=polling&sid=x', { headers: { origin: ALLOWED } });
  assert.deepEqual([unknown.status, unknown.headers.get(headers[0])], [400, ALLOWED], 'pages may read refusals too');
});

test('a preflight is answered for an allowed origin, with the headers it asks for', async () => {
  const asks = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' };
  const { status, headers } = await request(server, 'EIO=4&transport=polling', {
    method: 'OPTIONS',
    headers: { origin: ALLOWED, ...asks },
  });
  assert.equal(status, 204);
  assert.equal(headers.get('access-control-allow-origin'), ALLOWED);
  assert.equal(headers.get('access-control-allow-credentials'), 'true');
  assert.match(headers.get('access-control-allow-methods'), /GET.*POST/);
  const allowed = headers.get('access-control-allow-headers').toLowerCase();
  for (const name of ['authorization', 'content-type']) assert.ok(allowed.includes(name), allowed);
});

test('a page of another origin is kept out of each transport', async (t) => {
  const headers = { origin: 'https://evil.example' };
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const answer = await request(server, 'EIO=4&transport=polling', { method, headers });
    assert.equal(answer.headers.get('access-control-allow-origin'), null, method);
    if (method === 'GET') assert.deepEqual([answer.status, answer.json()], [403, { code: 4, message: 'Forbidden' }]);
  }
  const session = await Session.enter(server, 'ada');
  assert.equal((await session.post('41', { headers })).status, 403);
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers });
  t.after(() => socket.terminate());
  const status = await new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
  });
  assert.equal(status, 403);
});

test('requests that are none of Engine.IO’s are refused in its words', async () => {
  const refusals = [
    ['GET', 'EIO=4&transport=pigeon', 0, 'Transport unknown'],
    ['GET', 'EIO=4', 0, 'Transport unknown'],
    ['GET', 'EIO=4&transport=polling&sid=unknown', 1, 'Session ID unknown'],
    ['POST', 'EIO=4&transport=polling&sid=__proto__', 1, 'Session ID unknown'],
    ['POST', 'EIO=4&transport=polling', 2, 'Bad handshake method'],
    ['PUT', 'EIO=4&transport=polling', 2, 'Bad handshake method'],
    ['GET', 'EIO=3&transport=polling', 5, 'Unsupported protocol version'],
    ['GET', 'transport=polling', 5, 'Unsupported protocol version'],
  ];
  for (const [method, query, code, message] of refusals) {
    const answer = await request(server, query, { method });
    assert.deepEqual([answer.status, answer.json()], [400, { code, message }], `${method} ${query}`);
  }
});

test('what waits for a client that polls comes in one payload', async (t) => {
  const ada = await Session.enter(server, 'ada');
  const ben = await connected(t, server, 'ben');
  await ada.post('420["chat:room:join",{"roomId":"team"}]');
  await ada.poll();
  const { seq } = await says(ben, 'team', 'One');
  await says(ben, 'team', 'Two');
  const { packets, headers } = await ada.poll();
  assert.equal(headers.get('content-type'), 'text/plain; charset=UTF-8');
  const heard = packets.filter((packet) => packet.includes('chat:message:received'));
  assert.deepEqual(heard.map((packet) => JSON.parse(packet.slice(2))[1].seq), [seq, seq + 1]);
});

test('several packets of one POST are heard in order', async () => {
  const ada = await Session.enter(server, 'ada');
  const call = (id) => `42${id}["ping"]`;
  await ada.post([1, 2, 3].map(call).join('\x1e'));
  const { packets } = await ada.poll();
  assert.deepEqual(packets.filter((packet) => packet.startsWith('43')).map((packet) => packet.slice(0, 3)), ['431', '432', '433']);
});

test('a second GET ends the session, and the first is answered', async () => {
  const ada = await Session.enter(server, 'ada');
  const first = ada.poll();
  // The second may be the one that waits: then the first is refused.
  const second = ada.poll();
  const [one, other] = await Promise.all([first, second]);
  assert.deepEqual([one.status, other.status].sort(), [200, 400]);
  assert.equal((one.status === 200 ? one : other).text, '1');
  await gone(ada);
});

test('a GET that its client aborts ends the session', async () => {
  const ada = await Session.enter(server, 'ada');
  const abort = new AbortController();
  const polled = ada.poll({ signal: abort.signal });
  polled.catch(() => {});
  // What is posted after the GET has arrived proves that it waits.
  await ada.post('3');
  abort.abort();
  await assert.rejects(polled, { name: 'AbortError' });
  for (;;) {
    const { status } = await ada.post('3');
    if (status === 400) break;
    assert.equal(status, 200);
  }
  await gone(ada);
});

test('a POST of more than a million bytes is refused with 413, and one of a million is read', async () => {
  const ada = await Session.enter(server, 'ada');
  const packet = (bytes) => {
    const [before, after] = ['420["no:such:call","', '"]'];
    return before + 'x'.repeat(bytes - before.length - after.length) + after;
  };
  const most = await ada.post(packet(1_000_000));
  assert.deepEqual([most.status, most.text], [200, 'ok']);
  const { packets } = await ada.poll();
  assert.match(packets[0], /^430\[\{"ok":false,"error":\{"code":"CLIENT_ERROR"/);
  const more = await ada.post(packet(1_000_001)).catch((error) => ({ status: error.cause?.code ?? error }));
  assert.equal(more.status, 413);
});

test('a POST of what is no payload ends the session', async () => {
  for (const body of ['abc', '', '4\x1e', '\x1e', 'b!!', '42', '40[]', '2', '5', '9']) {
    const ada = await Session.enter(server, 'ada');
    await ada.post(body);
    const answer = await ada.poll();
    if (answer.status === 200) {
      assert.equal(answer.packets.at(-1), '1', JSON.stringify(body));
      await gone(ada);
    } else {
      assert.equal(answer.status, 400, JSON.stringify(body));
    }
  }
});

test('a client that closes has its waiting GET answered, and its session is over', async () => {
  const ada = await Session.enter(server, 'ada');
  const polled = ada.poll();
  await ada.post('3');
  await ada.post('1');
  assert.deepEqual((await polled).packets, ['6']);
  await gone(ada);
});

test('a session that was upgraded is not reached by HTTP, nor by a second WebSocket', async (t) => {
  const ada = await Session.enter(server, 'ada');
  const socket = await opened(t, server, `&sid=${ada.open.sid}`);
  await new Promise((resolve) => socket.socket.once('open', resolve));
  socket.say('2probe');
  socket.say('5');
  await socket.hears('3probe');
  socket.say('421["ping"]');
  await socket.hears('431');
  assert.equal((await ada.poll()).status, 400);
  const second = await opened(t, server, `&sid=${ada.open.sid}`);
  second.socket.on('error', () => {});
  await second.closed;
  socket.say('422["ping"]');
  await socket.hears('432');
});

test('a probe that comes to nothing leaves the session polling', async (t) => {
  const ada = await Session.enter(server, 'ada');
  const socket = await opened(t, server, `&sid=${ada.open.sid}`);
  await new Promise((resolve) => socket.socket.once('open', resolve));
  socket.socket.close();
  await socket.closed;
  await ada.post('421["ping"]');
  const { packets } = await ada.poll();
  assert.match(packets[0], /^431\[\{"ok":true/);
});

test('nobody else notices any of it', async (t) => {
  const ben = await connected(t, server, 'ben');
  await call(ben, 'ping');
  await entered(t, server, 'ada');
  assert.equal(server.alive, true);
});
