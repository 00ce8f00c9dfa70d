// Ends that the server makes: who is sent away hears why, and does not come back by itself.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Parlor, seconds, token } from './parlor.mjs';
import { WAYS, call, client, connected, connects, event, refused, says } from './people.mjs';

/** How long a token is good after its time. */
const LEEWAY = 30;
const server = await Parlor.start({ after });
let rooms = 0;
const room = (members) => server.room(`room-${(rooms += 1)}`, members);

for (const [way, options] of Object.entries(WAYS)) {
  describe(`a client that is connected ${way}`, () => {
    test('is sent away when its token is over, and comes back with a new one', async (t) => {
      const soon = { token: token('ada', { exp: seconds() - LEEWAY + 2 }) };
      const ada = client(t, server, null, { ...options, auth: soon });
      const gone = event(ada, 'disconnect');
      await connects(ada);
      const { expiresAt } = await ada.diary.first('auth:expiring');
      assert.match(expiresAt, /^\d{4}-/);
      assert.deepEqual((await gone)[0], 'io server disconnect');
      const error = await ada.diary.first('error');
      assert.deepEqual([error.code, error.message, error.recoverable], ['TOKEN_EXPIRED', 'token expired', true]);
      assert.deepEqual([ada.connected, ada.active], [false, false], 'it does not try again by itself');
      ada.auth = { token: token('ada') };
      await connects(ada);
      assert.equal(ada.recovered, false);
    });

    test('goes on when it brings a new token in time', async (t) => {
      const soon = { token: token('ada', { exp: seconds() - LEEWAY + 3 }) };
      const ada = client(t, server, null, { ...options, auth: soon });
      await connects(ada);
      await ada.diary.first('auth:expiring');
      assert.equal((await refused(ada, 'auth:refresh', { token: token('ben') })).code, 'AUTH_FAILED');
      const fresh = seconds() + 3_600;
      const { expiresAt } = await call(ada, 'auth:refresh', { token: token('ada', { exp: fresh }) });
      assert.equal(Date.parse(expiresAt), fresh * 1_000);
    });

    test('hears that its membership was taken away, and nothing after it', async (t) => {
      const roomId = await room(['ada', 'ben']);
      const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => connected(t, server, user, options)));
      for (const member of [ada, ben]) await call(member, 'chat:room:join', { roomId });
      await server.backend('DELETE', `/api/admin/rooms/chat/${roomId}/members/ada`);
      const removed = (notice) => notice.kind === 'member_removed';
      const notice = { kind: 'member_removed', roomId, userId: 'ada' };
      assert.deepEqual(await ada.diary.first('chat:system:notification', removed), notice);
      assert.deepEqual(await ben.diary.first('chat:system:notification', removed), notice);
      await says(ben, roomId, 'Is she gone?');
      await call(ada, 'ping');
      assert.deepEqual(ada.diary.contents(), []);
      for (const name of ['chat:room:join', 'chat:message:history']) {
        assert.equal((await refused(ada, name, { roomId })).code, 'ROOM_ACCESS_DENIED');
      }
      const send = await refused(ada, 'chat:message:send', { roomId, content: 'I am here' });
      assert.equal(send.code, 'ROOM_ACCESS_DENIED');
    });

    test('hears that its room was closed', async (t) => {
      const roomId = await room(['ada']);
      const ada = await connected(t, server, 'ada', options);
      await call(ada, 'chat:room:join', { roomId });
      await server.backend('DELETE', `/api/admin/rooms/chat/${roomId}`);
      const closed = await ada.diary.first('chat:system:notification', (notice) => notice.kind === 'room_closed');
      assert.equal(closed.roomId, roomId);
    });

    test('is sent away for refusals without end', async (t) => {
      const strict = await Parlor.start(t, { REFUSALS_MAX: 5 });
      const ada = await connected(t, strict, 'ada', options);
      const gone = event(ada, 'disconnect');
      for (let at = 0; at < 6; at += 1) ada.emit('chat:room:join', { roomId: 7 });
      assert.equal((await gone)[0], 'io server disconnect');
      assert.equal((await ada.diary.first('error')).code, 'RATE_LIMITED');
    });
  });
}
