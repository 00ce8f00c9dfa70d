// One chat room, and people in it who came in every way there is.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Parlor } from './parlor.mjs';
import { WAYS, call, connected, event, plain, says } from './people.mjs';
import { Proxy } from './proxy.mjs';

const ROUNDS = 15;
const server = await Parlor.start({ after });

test('members on polling, on WebSocket, on /chat and on /api/connect hear the same, and one who is cut off misses nothing', async (t) => {
  const people = ['pol', 'wes', 'cha', 'api', 'cut'];
  const roomId = await server.room('all', people);
  const proxy = await Proxy.start(t, server);
  const pol = await connected(t, server, 'pol', WAYS['by polling alone']);
  const wes = await connected(t, server, 'wes', WAYS['over WebSocket alone']);
  const cut = await connected(t, proxy, 'cut');
  const cha = await plain(t, server, 'cha');
  const api = await plain(t, server, 'api', '/api/connect');
  const speaks = (socket) => (content) => says(socket, roomId, content);
  const speaksPlain = (member) => (content) => member.call('chat:message:send', { roomId, content });
  const speakers = [speaks(pol), speaks(wes), speaksPlain(cha), speaksPlain(api)];
  for (const socket of [pol, wes, cut]) await call(socket, 'chat:room:join', { roomId });
  for (const member of [cha, api]) assert.equal((await member.call('chat:room:join', { roomId })).roomId, roomId);

  // Everybody speaks at once, and one is cut off in between, twice.
  for (let round = 0; round < ROUNDS; round += 1) {
    let back;
    if (round === 4 || round === 9) {
      const gone = event(cut, 'disconnect');
      proxy.cut();
      await gone;
    }
    await Promise.all(speakers.map((speak, who) => speak(`${people[who]} ${round}`)));
    if (round === 6 || round === 11) {
      back = event(cut, 'connect');
      proxy.mend();
      await back;
      assert.equal(cut.recovered, true);
    }
  }

  const log = await server.backend('GET', `/api/admin/rooms/chat/${roomId}/log?after=0&limit=200`);
  const history = (await call(wes, 'chat:message:history', { roomId, limit: 200 })).messages;
  assert.equal(history.length, ROUNDS * speakers.length);
  assert.ok(JSON.stringify(log).includes('api 14'), 'the log of the room has them');
  assert.deepEqual(history.map((message) => message.seq), Array.from(history, (_, at) => at + 1));
  for (const [who, { diary }] of [pol, wes, cha, api, cut].entries()) {
    const expected = history.filter((message) => message.senderId !== people[who]);
    const heard = () => diary.all('chat:message:received');
    await diary.until(() => heard().length >= expected.length, `${people[who]} hears ${expected.length}`);
    assert.deepEqual(heard(), expected, people[who]);
  }
});
