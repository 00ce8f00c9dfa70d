// A client as the plan of the chat writes it: WebSocket alone, every call and every notice of its tables, each call
// in the form of its WebSocketEvent.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { io } from 'socket.io-client';
import { Parlor, token } from './parlor.mjs';
import { Diary, event } from './people.mjs';

const server = await Parlor.start({ after });
const NOTICES = [
  'chat:message:received',
  'chat:room:joined',
  'chat:room:left',
  'chat:user:typing',
  'chat:file:uploaded',
  'chat:robot:response',
  'chat:room:created',
  'chat:escalation:created',
  'chat:error',
  'chat:system:notification',
];

/** A client of the chat: it sends WebSocketEvents, and is answered by them under its requestId. */
class ChatClient {
  constructor(t, userId, userType) {
    this.socket = io(server.url, { transports: ['websocket'], auth: { token: token(userId, { userType }) }, forceNew: true });
    this.diary = new Diary();
    this.calls = 0;
    const answers = new Diary();
    this.answers = answers;
    this.socket.onAny((name, said) => {
      if (said?.requestId) answers.write(said.requestId, said);
      else if (NOTICES.includes(name)) this.diary.write(name, said);
    });
    this.opened = event(this.socket, 'connect');
    t.after(() => this.socket.disconnect());
  }

  async send(name, data) {
    const requestId = `${name}-${(this.calls += 1)}`;
    this.socket.emit(name, { event: name, data, requestId, version: '1' });
    const answer = await this.answers.first(requestId);
    assert.equal(answer.version, '1');
    return answer;
  }
}

test('the tables of the plan, told by four people', async (t) => {
  const roomId = 'plan';
  const kinds = { emma: 'employee', ed: 'employee', gus: 'guest', sue: 'supervisor' };
  const people = Object.fromEntries(Object.entries(kinds).map(([user, kind]) => [user, new ChatClient(t, user, kind)]));
  await Promise.all(Object.values(people).map((person) => person.opened));
  const { emma, ed, gus, sue } = people;

  const created = await emma.send('chat:room:create', { roomId, name: 'Plan', visibility: 'private', members: ['ed', 'gus'] });
  assert.deepEqual([created.event, created.data], ['chat:room:created', { roomId, name: 'Plan' }]);
  for (const person of [emma, ed, gus]) {
    const joined = await person.send('chat:room:join', { roomId });
    assert.deepEqual([joined.event, joined.data.roomId], ['chat:room:joined', roomId]);
  }

  const sent = await emma.send('chat:message:send', { roomId, type: 'chat', content: 'Hello', metadata: { tone: 'warm' } });
  assert.equal(sent.data.deliveryStatus, 'delivered');
  const message = await gus.diary.first('chat:message:received');
  const keys = ['id', 'type', 'roomId', 'senderId', 'content', 'timestamp', 'deliveryStatus', 'metadata'];
  const expected = [sent.data.id, 'chat', roomId, 'emma', 'Hello', sent.data.timestamp, 'delivered', { tone: 'warm' }];
  assert.deepEqual(keys.map((key) => message[key]), expected);

  ed.socket.emit('chat:typing:start', { event: 'chat:typing:start', data: { roomId }, version: '1' });
  const typing = await emma.diary.first('chat:user:typing', (it) => it.typing);
  assert.deepEqual([typing.roomId, typing.userId, typing.typing], [roomId, 'ed', true]);
  ed.socket.emit('chat:typing:stop', { event: 'chat:typing:stop', data: { roomId }, version: '1' });
  await emma.diary.first('chat:user:typing', (it) => !it.typing);

  for (const [name, data] of [
    ['chat:file:upload', { roomId, name: 'a.txt', mimeType: 'text/plain', data: 'aGk=' }],
    ['chat:robot:interact', { roomId, prompt: 'Who are you?' }],
    ['chat:escalation:create', { roomId, reason: 'Help' }],
    ['chat:room:create', { name: 'Mine', visibility: 'public' }],
  ]) {
    const refusal = await gus.send(name, data);
    assert.deepEqual([refusal.event, refusal.data.code], ['chat:error', 'PERMISSION_DENIED'], name);
  }

  const uploaded = await ed.send('chat:file:upload', { roomId, name: 'a.txt', mimeType: 'text/plain', data: 'aGk=' });
  assert.deepEqual([uploaded.event, uploaded.data.content.size], ['chat:file:uploaded', 2]);
  assert.equal((await emma.diary.first('chat:file:uploaded')).content.name, 'a.txt');

  await emma.send('chat:robot:interact', { roomId, prompt: 'Who are you?' });
  const reply = await ed.diary.first('chat:robot:response');
  assert.equal(reply.error.code, 'AI_UNAVAILABLE', 'no AI service is configured');

  const escalated = await emma.send('chat:escalation:create', { roomId, reason: 'Help' });
  assert.equal(escalated.event, 'chat:escalation:created');
  const alarm = await sue.diary.first('chat:escalation:created');
  assert.deepEqual([alarm.roomId, alarm.by, alarm.reason], [roomId, 'emma', 'Help']);

  const unknown = await emma.send('chat:message:send', { roomId, type: 'dance', content: 'x' });
  assert.deepEqual([unknown.event, unknown.data.recoverable], ['chat:error', false]);
  const left = await ed.send('chat:room:leave', { roomId });
  assert.deepEqual([left.event, left.data], ['chat:room:left', { roomId }]);
  await emma.diary.first('chat:system:notification', (it) => it.users?.some(({ userId }) => userId === 'gus'));
});

test('a client of the plan sends bytes as an attachment, with an ack', async (t) => {
  const emma = new ChatClient(t, 'emma', 'employee');
  await emma.opened;
  const roomId = await server.room('files', ['emma']);
  const bytes = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100_000, 7)]);
  const file = { roomId, name: 'big.png', mimeType: 'image/png', data: bytes };
  const wrapped = { event: 'chat:file:upload', data: file, version: '1' };
  for (const said of [file, wrapped]) {
    const { ok, content, error } = await emma.socket.timeout(20_000).emitWithAck('chat:file:upload', said);
    assert.equal(ok, true, JSON.stringify(error));
    assert.deepEqual([content.size, content.mimeType], [bytes.length, 'image/png']);
    const read = await fetch(server.url + content.url, { headers: { authorization: `Bearer ${token('emma')}` } });
    assert.deepEqual(Buffer.from(await read.arrayBuffer()), bytes);
  }
});
