// The heartbeat of Engine.IO: who answers stays, whoever does not is hung up on.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Parlor, token } from './parlor.mjs';
import { WAYS, call, connected, event, says } from './people.mjs';
import { Proxy } from './proxy.mjs';
import { Session, opened } from './raw.mjs';

const INTERVAL = 300;
const TIMEOUT = 900;
const server = await Parlor.start({ after }, { WEBSOCKET_PING_INTERVAL: INTERVAL, WEBSOCKET_PING_TIMEOUT: TIMEOUT });
await server.room('team');

for (const [way, options] of Object.entries(WAYS)) {
  describe(`a client that is connected ${way}`, () => {
    test('stays while it answers pings', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      for (let ping = 0; ping < 4; ping += 1) await event(ada.io, 'ping');
      assert.equal(ada.connected, true);
      await call(ada, 'ping');
    });

    test('notices that nothing comes any more, and comes back when it can', async (t) => {
      const proxy = await Proxy.start(t, server);
      const ada = await connected(t, proxy, 'ada', options);
      await call(ada, 'chat:room:join', { roomId: 'team' });
      const gone = event(ada, 'disconnect');
      proxy.freeze();
      const [reason] = await gone;
      assert.match(reason, /^(ping timeout|transport close|transport error)$/);
      proxy.cut();
      const back = event(ada, 'connect');
      proxy.mend();
      await back;
      await call(ada, 'ping');
    });
  });
}

test('a session that never answers a ping is closed on WebSocket, after interval and timeout', async (t) => {
  const begun = performance.now();
  const mute = await opened(t, server);
  mute.say(`40${JSON.stringify({ token: token('mute') })}`);
  await mute.closed;
  const lasted = performance.now() - begun;
  assert.ok(lasted >= INTERVAL + TIMEOUT - 10, `${lasted} ms`);
  assert.equal(mute.heard.at(-1), '2', 'a ping was the last that it heard');
});

test('a session that never answers a ping is closed on polling', async (t) => {
  const mute = await Session.open(server);
  await mute.post(`40${JSON.stringify({ token: token('mute') })}`);
  const answers = [];
  for (;;) {
    const answer = await mute.poll();
    if (answer.status !== 200) {
      assert.deepEqual([answer.status, answer.json().code], [400, 1]);
      break;
    }
    answers.push(...answer.packets);
    if (answers.length > 20) assert.fail(answers.join());
  }
  assert.ok(answers.includes('2'), answers.join());
});

test('a session that never enters a namespace is closed', async (t) => {
  const impatient = await Parlor.start(t, { ENGINE_CONNECT_TIMEOUT: 150 });
  const idle = await opened(t, impatient);
  await idle.closed;
  const ada = await connected(t, impatient, 'ada');
  await impatient.room('team');
  await call(ada, 'chat:room:join', { roomId: 'team' });
  await says(ada, 'team', 'Here');
});
