// Servers that end and begin again: clients come back by themselves and miss nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Parlor } from './parlor.mjs';
import { WAYS, call, connected, event, says } from './people.mjs';

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => `n${from + at}`);

/** Keeps a client in a room as an application would: after each connection it joins with what it has heard. */
function stays(socket, roomId) {
  const member = { seen: 0, heard: [], recovered: [] };
  const hear = (message) => {
    member.seen = message.seq;
    member.heard.push(message);
    socket.diary.write('counted');
  };
  socket.on('chat:message:received', hear);
  const join = () => {
    member.recovered.push(socket.recovered);
    if (socket.recovered) return;
    socket.emit('chat:room:join', { roomId, since: member.seen }, ({ messages }) => {
      messages.forEach(hear);
      socket.diary.write('caught up');
    });
  };
  socket.on('connect', join);
  join();
  member.ready = socket.diary.first('caught up', () => true);
  return member;
}

for (const [way, options] of Object.entries(WAYS)) {
  describe(`clients that are connected ${way}`, () => {
    test('come back to a server that was killed, and neither miss nor repeat anything', async (t) => {
      const server = await Parlor.startSteady(t);
      const roomId = await server.room('team', ['ada', 'ben']);
      const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => connected(t, server, user, options)));
      const bens = stays(ben, roomId);
      await bens.ready;
      // Each message bears an id, and is sent until it is answered.
      const sending = (async () => {
        for (const id of numbers(1, 60)) {
          for (;;) {
            const answer = await ada.timeout(2_000).emitWithAck('chat:message:send', { roomId, id, content: id }).catch(() => null);
            if (answer?.ok) break;
            if (!ada.connected) await event(ada, 'connect');
          }
        }
      })();
      for (const part of [15, 35]) {
        await ben.diary.until(() => bens.heard.length >= part, `hears ${part} messages`);
        const gone = [event(ada, 'disconnect'), event(ben, 'disconnect')];
        await server.stop('SIGKILL');
        for (const [reason] of await Promise.all(gone)) assert.match(reason, /^transport (close|error)$/);
        await server.restart();
      }
      await sending;
      await ben.diary.until(() => bens.heard.length >= 60, 'hears 60 messages');
      await call(ben, 'ping');
      assert.deepEqual(bens.heard.map((message) => message.content), numbers(1, 60));
      assert.deepEqual(bens.heard.map((message) => message.seq), numbers(1, 60).map((_, at) => at + 1));
      assert.deepEqual(bens.recovered, [false, false, false], 'the memory of those cut off ends with the process');
    });

    test('are told of a server that stops, and go over to the next one', async (t) => {
      const server = await Parlor.startSteady(t);
      const roomId = await server.room('team', ['ada', 'ben']);
      const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => connected(t, server, user, options)));
      const bens = stays(ben, roomId);
      await bens.ready;
      await says(ada, roomId, 'before');
      await ben.diary.first('chat:message:received');
      // Meanwhile a GET of Ben's waits again.
      for (let time = 0; time < 3; time += 1) await call(ada, 'ping');
      const gone = event(ben, 'disconnect');
      await server.stop('SIGTERM');
      const told = { reason: 'restarting', reconnectAfterMs: 1_000 };
      assert.deepEqual(await ben.diary.first('server_shutdown'), told);
      const [reason] = await gone;
      assert.match(reason, /^transport (close|error)$/, 'it was not sent away for good');
      assert.equal(ben.active, true);
      await server.restart();
      if (!ada.connected) await event(ada, 'connect');
      await says(ada, roomId, 'after');
      await ben.diary.until(() => bens.heard.length === 2, 'hears both');
      assert.deepEqual(bens.heard.map((message) => message.content), ['before', 'after']);
    });
  });
}
