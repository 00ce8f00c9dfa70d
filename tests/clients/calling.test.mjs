// Calls and what answers them: acks, events besides, 001's form, binary, and the client's own ways to send.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Parlor } from './parlor.mjs';
import { WAYS, bounded, call, client, connected, connects, event, refused, says } from './people.mjs';

const server = await Parlor.start({ after });

let rooms = 0;
const room = (members) => server.room(`room-${(rooms += 1)}`, members);
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => `n${from + at}`);

for (const [way, options] of Object.entries(WAYS)) {
  describe(`a client that is connected ${way}`, () => {
    test('makes a room, joins it, talks in it and leaves it', async (t) => {
      const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => connected(t, server, user, options)));
      const roomId = `made-${(rooms += 1)}`;
      const made = await call(ada, 'chat:room:create', { roomId, name: 'Made', visibility: 'public' });
      assert.deepEqual(made, { ok: true, roomId, name: 'Made' });
      assert.deepEqual(await ada.diary.first('chat:room:created'), { roomId, name: 'Made' }, 'and the event besides');
      const joined = await call(ben, 'chat:room:join', { roomId });
      assert.deepEqual([joined.roomId, joined.name, joined.lastSeq, joined.messages], [roomId, 'Made', 0, []]);
      const { ok, ...same } = joined;
      assert.deepEqual(await ben.diary.first('chat:room:joined'), same);
      await call(ada, 'chat:room:join', { roomId });
      const answer = await says(ada, roomId, 'Hello', { metadata: { mood: 'good' } });
      assert.deepEqual([answer.seq, answer.deliveryStatus], [1, 'delivered']);
      const heard = await ben.diary.first('chat:message:received');
      assert.deepEqual(heard, {
        id: answer.id,
        seq: 1,
        type: 'chat',
        roomId,
        senderId: 'ada',
        senderName: 'ada',
        content: 'Hello',
        timestamp: answer.timestamp,
        deliveryStatus: 'delivered',
        metadata: { mood: 'good' },
      });
      assert.deepEqual(await call(ben, 'chat:room:leave', { roomId }), { ok: true, roomId });
      assert.deepEqual(await ben.diary.first('chat:room:left'), { roomId });
      await says(ada, roomId, 'Anybody?');
      await call(ben, 'ping');
      assert.deepEqual(ben.diary.contents(), ['Hello'], 'who left hears nothing');
      assert.deepEqual(ada.diary.contents(), [], 'nobody hears what it said itself');
      const history = await call(ben, 'chat:message:history', { roomId });
      assert.deepEqual(history.messages.map((message) => message.content), ['Hello', 'Anybody?']);
    });

    test('is refused in the ack alone, and without an ack by an event', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      const denied = { code: 'ROOM_ACCESS_DENIED', message: 'no access to this room', recoverable: false };
      assert.deepEqual(await refused(ada, 'chat:room:join', { roomId: 'nowhere' }), denied);
      assert.deepEqual(ada.diary.all('chat:error'), []);
      ada.emit('chat:room:join', { roomId: 'nowhere' });
      assert.deepEqual(await ada.diary.first('chat:error'), denied);
      assert.equal((await refused(ada, 'no:such:call')).code, 'CLIENT_ERROR');
      assert.equal((await refused(ada, 'chat:room:join', ['an array'])).code, 'CLIENT_ERROR');
    });

    test('is answered with a pong', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      ada.emit('ping');
      const { timestamp } = await ada.diary.first('pong');
      assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    });

    test('is answered in 001’s form when it speaks in it', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      const roomId = await room();
      const wrap = (name, data, requestId) => ({ event: name, data, requestId, version: '1' });
      ada.emit('chat:room:join', wrap('chat:room:join', { roomId }, 'q1'));
      const joined = await ada.diary.first('chat:room:joined');
      assert.deepEqual([joined.event, joined.requestId, joined.version], ['chat:room:joined', 'q1', '1']);
      assert.deepEqual([joined.data.roomId, joined.data.lastSeq], [roomId, 0]);
      ada.emit('chat:message:send', wrap('chat:message:send', { roomId, content: 'Wrapped' }, 'q2'));
      const sent = await ada.diary.first('chat:message:send');
      assert.deepEqual([sent.requestId, sent.data.seq], ['q2', 1]);
      ada.emit('chat:room:join', wrap('chat:room:join', { roomId: 'nowhere' }, 'q3'));
      const error = await ada.diary.first('chat:error');
      assert.deepEqual([error.event, error.requestId, error.data.code], ['chat:error', 'q3', 'ROOM_ACCESS_DENIED']);
      const acked = await call(ada, 'chat:room:leave', wrap('chat:room:leave', { roomId }));
      assert.deepEqual(acked, { ok: true, roomId });
    });

    test('does no harm with bytes where none are taken', async (t) => {
      const ada = await connected(t, server, 'ada', options);
      const roomId = await room();
      await call(ada, 'chat:room:join', { roomId });
      const error = await refused(ada, 'chat:message:send', { roomId, content: Buffer.from([0, 1, 255]) });
      assert.match(error.code, /^(CLIENT|PROTOCOL)_ERROR$/);
      ada.emit('no:such:call', new Uint8Array([1]), Buffer.from('two'));
      await call(ada, 'ping');
      assert.equal(ada.connected, true);
    });

    test('has what it emits before it is connected delivered, in order', async (t) => {
      const roomId = await room(['ada', 'ben']);
      const ada = client(t, server, 'ada', options);
      const ben = await connected(t, server, 'ben', options);
      await call(ben, 'chat:room:join', { roomId });
      const early = [call(ada, 'chat:room:join', { roomId })];
      early.push(...numbers(1, 5).map((content) => says(ada, roomId, content)));
      ada.volatile.emit('chat:message:send', { roomId, content: 'volatile, and lost' });
      await connects(ada);
      const answers = await Promise.all(early);
      assert.deepEqual(answers.map((answer) => answer.seq), [undefined, 1, 2, 3, 4, 5]);
      ada.volatile.emit('chat:message:send', { roomId, content: 'volatile' });
      await ben.diary.until(() => ben.diary.contents().length === 6);
      assert.deepEqual(ben.diary.contents(), [...numbers(1, 5), 'volatile']);
    });

    test('has a message stored once that it sends again because the answer is late', async (t) => {
      const roomId = await room();
      const ben = await connected(t, server, 'ben', options);
      await call(ben, 'chat:room:join', { roomId });
      // The answers come after a millisecond: it is told that there was none, and tries once more.
      const hasty = await connected(t, server, 'ada', { ...options, retries: 1, ackTimeout: 1 });
      await call(await connected(t, server, 'ada', options), 'chat:room:join', { roomId });
      const said = { roomId, id: 'once', content: 'Once' };
      await bounded('is answered or gives up', (resolve) => {
        hasty.emit('chat:message:send', said, resolve);
      });
      const patient = await connected(t, server, 'ada', { ...options, retries: 3, ackTimeout: 20_000 });
      const answer = await patient.emitWithAck('chat:message:send', said);
      assert.deepEqual([answer.ok, answer.id, answer.seq], [true, 'once', 1]);
      assert.deepEqual(await ben.diary.first('chat:message:received', (it) => it.id === 'once').then((it) => it.seq), 1);
      const other = await refused(patient, 'chat:message:send', { ...said, content: 'Twice' });
      assert.equal(other.code, 'CONFLICT');
      await says(patient, roomId, 'Last');
      await ben.diary.first('chat:message:received', (it) => it.content === 'Last');
      assert.deepEqual(ben.diary.contents(), ['Once', 'Last']);
    });
  });
}

test('what is said and heard while the transport is upgraded stays in order', async (t) => {
  const roomId = await room();
  const ben = await connected(t, server, 'ben');
  await call(ben, 'chat:room:join', { roomId });
  for (let round = 0; round < 5; round += 1) {
    const ada = client(t, server, 'ada');
    const opened = event(ada, 'connect');
    ada.connect();
    const upgraded = event(ada.io.engine, 'upgrade');
    await opened;
    await call(ada, 'chat:room:join', { roomId });
    let ended = false;
    upgraded.then(() => (ended = true));
    const adas = [];
    const bens = [];
    const answers = [];
    while (!ended || adas.length < 20) {
      adas.push(`a${round}-${adas.length}`);
      bens.push(`b${round}-${bens.length}`);
      answers.push(says(ada, roomId, adas.at(-1)), says(ben, roomId, bens.at(-1)));
      await new Promise(setImmediate);
      if (adas.length % 10 === 0) await answers.at(-1);
    }
    await Promise.all(answers);
    assert.equal(ada.io.engine.transport.name, 'websocket');
    const mine = () => ada.diary.contents().filter((content) => content.startsWith(`b${round}-`));
    const hers = () => ben.diary.contents().filter((content) => content.startsWith(`a${round}-`));
    await ada.diary.until(() => mine().length >= bens.length);
    await ben.diary.until(() => hers().length >= adas.length);
    assert.deepEqual(mine(), bens);
    assert.deepEqual(hers(), adas);
    ada.disconnect();
  }
});

test('a message of a hundred kilobytes is refused by its length, over each transport', async (t) => {
  const roomId = await room();
  for (const options of Object.values(WAYS)) {
    const ada = await connected(t, server, 'ada', options);
    const error = await refused(ada, 'chat:message:send', { roomId, content: 'x'.repeat(100_000) });
    assert.deepEqual([error.code, error.details.limit], ['TOO_LARGE', 16_384]);
  }
});

test('a client is told its rate limit in the ack', async (t) => {
  const strict = await Parlor.start(t, { RATE_LIMIT_CALLS: 3 });
  await strict.room('team');
  const ada = await connected(t, strict, 'ada');
  const error = async () => (await ada.emitWithAck('chat:message:history', { roomId: 'team' })).error?.code;
  await call(ada, 'chat:room:join', { roomId: 'team' });
  assert.deepEqual([await error(), await error(), await error()], [undefined, undefined, 'RATE_LIMITED']);
  await call(ada, 'ping');
});
