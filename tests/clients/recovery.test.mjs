// Connection state recovery: who was cut off for a moment goes on as if nothing had been, or is told that it cannot.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Parlor, token } from './parlor.mjs';
import { WAYS, call, client, connected, connects, event, refused, says } from './people.mjs';
import { Proxy } from './proxy.mjs';

const server = await Parlor.start({ after });
let rooms = 0;
const room = (members) => server.room(`room-${(rooms += 1)}`, members);

/** Ada behind a proxy and Ben without one, both in a room in which each has said something. */
async function two(t, options, parlor = server, roomId = undefined) {
  const proxy = await Proxy.start(t, parlor);
  roomId ??= await room(['ada', 'ben']);
  const ada = await connected(t, proxy, 'ada', options);
  const ben = await connected(t, parlor, 'ben');
  for (const member of [ada, ben]) await call(member, 'chat:room:join', { roomId });
  await says(ben, roomId, 'one');
  await ada.diary.first('chat:message:received');
  await says(ada, roomId, 'mine');
  return { proxy, ada, ben, roomId };
}

/** Cuts Ada off, has it that something happens, and lets her in again. */
async function away(proxy, ada, meanwhile) {
  const gone = event(ada, 'disconnect');
  proxy.cut();
  assert.match((await gone)[0], /^transport (close|error)$/);
  await meanwhile();
  const back = event(ada, 'connect');
  proxy.mend();
  await back;
}

for (const [way, options] of Object.entries(WAYS)) {
  describe(`a client that is connected ${way} and cut off`, () => {
    test('has its name and rooms again, and hears once and in order what others said meanwhile', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      const side = await room(['ada', 'ben']);
      await call(ada, 'chat:room:join', { roomId: side });
      await call(ben, 'chat:room:join', { roomId: side });
      await says(ben, roomId, 'two');
      await ada.diary.until(() => ada.diary.contents().length === 2);
      const { id } = ada;
      await away(proxy, ada, async () => {
        await says(ben, roomId, 'three');
        await says(ben, side, 'aside');
        await says(ben, roomId, 'four');
      });
      assert.deepEqual([ada.recovered, ada.id], [true, id]);
      await says(ben, roomId, 'five');
      await ada.diary.until(() => ada.diary.contents(roomId).length >= 5);
      await ada.diary.until(() => ada.diary.contents(side).length >= 1);
      assert.deepEqual(ada.diary.contents(roomId), ['one', 'two', 'three', 'four', 'five']);
      assert.deepEqual(ada.diary.contents(side), ['aside']);
      await says(ada, roomId, 'mine again');
      await ben.diary.first('chat:message:received', (it) => it.content === 'mine again');
    });

    test('that had a draft open is not recovered, and opens it again', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      const draftId = `draft-${roomId}`;
      await server.backend('PUT', `/api/admin/rooms/draft/${draftId}`, { name: 'Draft', firmId: 'acme' });
      await call(ada, 'draft:open', { draftId });
      await away(proxy, ada, () => says(ben, roomId, 'two'));
      assert.equal(ada.recovered, false);
      await call(ada, 'draft:open', { draftId });
      await call(ada, 'draft:yjs-update', { draftId, data: [0, 0], id: 'nothing new' });
    });

    test('is recovered as often as it is cut off', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      for (let time = 1; time <= 4; time += 1) {
        await away(proxy, ada, () => says(ben, roomId, `t${time}`));
        assert.equal(ada.recovered, true);
        await ada.diary.first('chat:message:received', (it) => it.content === `t${time}`);
      }
      assert.deepEqual(ada.diary.contents(), ['one', 't1', 't2', 't3', 't4']);
    });

    test('is recovered where nothing happened meanwhile', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      await away(proxy, ada, async () => {});
      assert.equal(ada.recovered, true);
      await says(ben, roomId, 'two');
      await ada.diary.until(() => ada.diary.contents().length === 2);
      assert.deepEqual(ada.diary.contents(), ['one', 'two']);
    });

    test('does not hear its own message whose answer was lost', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      ada.emit('chat:message:send', { roomId, id: 'last-words', content: 'last words' });
      await ben.diary.first('chat:message:received', (it) => it.content === 'last words');
      await away(proxy, ada, () => says(ben, roomId, 'two'));
      if (!ada.recovered) await call(ada, 'chat:room:join', { roomId, since: 2 });
      const again = await says(ada, roomId, 'last words', { id: 'last-words' });
      assert.equal(again.seq, 3);
      if (ada.recovered) {
        await ada.diary.first('chat:message:received', (it) => it.content === 'two');
        assert.deepEqual(ada.diary.contents(), ['one', 'two']);
      }
    });

    test('sends afterwards what it wanted to say meanwhile', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      const said = [];
      await away(proxy, ada, async () => said.push(says(ada, roomId, 'later'), says(ada, roomId, 'still later')));
      await Promise.all(said);
      await ben.diary.first('chat:message:received', (it) => it.content === 'still later');
      assert.deepEqual(ben.diary.contents(), ['mine', 'later', 'still later']);
    });

    test('is not recovered where its membership was taken away', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      await away(proxy, ada, async () => {
        await server.backend('DELETE', `/api/admin/rooms/chat/${roomId}/members/ada`);
        await says(ben, roomId, 'not for Ada');
      });
      assert.equal(ada.recovered, false);
      assert.equal((await refused(ada, 'chat:room:join', { roomId, since: 1 })).code, 'ROOM_ACCESS_DENIED');
      assert.deepEqual(ada.diary.contents(), ['one']);
    });

    test('is not recovered after a place that is not certain, and catches up with since', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      await away(proxy, ada, async () => {
        for (let at = 0; at < 40; at += 1) await says(ben, roomId, `m${at}`);
        ada._lastOffset = '1';
      });
      assert.equal(ada.recovered, false);
      const { messages } = await call(ada, 'chat:room:join', { roomId, since: 2 });
      assert.deepEqual(messages.map((message) => message.content), Array.from({ length: 40 }, (_, at) => `m${at}`));
    });

    test('is a stranger with another user’s secret, and with one that was made up', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      const [pid, offset] = [ada._pid, ada._lastOffset];
      assert.ok(pid && offset, 'the client was given both');
      const gone = event(ada, 'disconnect');
      proxy.cut();
      await gone;
      await says(ben, roomId, 'between us');
      const attempts = [
        { token: token('eve'), pid, offset },
        { token: token('ada'), pid: `${pid}x`, offset },
        { token: token('ada', { firmId: 'other' }), pid, offset },
      ];
      for (const auth of attempts) {
        const eve = client(t, server, null, { ...options, auth });
        await connects(eve);
        assert.deepEqual([eve.recovered, eve._pid === pid, eve.id === ada.id], [false, false, false]);
        assert.deepEqual(eve.diary.contents(), []);
      }
      const back = event(ada, 'connect');
      proxy.mend();
      await back;
      assert.equal(ada.recovered, true, 'and its owner has lost nothing by it');
      await ada.diary.until(() => ada.diary.contents().length === 2);
      assert.deepEqual(ada.diary.contents(), ['one', 'between us']);
    });

    test('is not recovered with an offset from the future', async (t) => {
      const { proxy, ada, ben, roomId } = await two(t, options);
      for (const offset of ['999999999', '-1', 'x', '1e3', '']) {
        await away(proxy, ada, async () => {
          await says(ben, roomId, 'missed');
          ada._lastOffset = offset;
        });
        assert.equal(ada.recovered, false, offset);
        await call(ada, 'chat:room:join', { roomId });
      }
    });
  });
}

test('nobody is recovered after the window', async (t) => {
  const brief = await Parlor.start(t, { RECOVERY_WINDOW: 50 });
  const roomId = await brief.room('team', ['ada', 'ben']);
  const { proxy, ada, ben } = await two(t, {}, brief, roomId);
  await away(proxy, ada, async () => {
    const begun = performance.now();
    while (performance.now() - begun < 100) await says(ben, roomId, 'time goes by');
  });
  assert.equal(ada.recovered, false);
  const { messages } = await call(ada, 'chat:room:join', { roomId, since: 2 });
  assert.deepEqual(new Set(messages.map((message) => message.content)), new Set(['time goes by']));
});

test('nobody is given a secret where the window is zero', async (t) => {
  const never = await Parlor.start(t, { RECOVERY_WINDOW: 0 });
  const ada = await connected(t, never, 'ada');
  assert.equal(ada._pid, undefined);
});
