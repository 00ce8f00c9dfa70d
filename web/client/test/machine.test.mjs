// The machine alone: time and chance are what the test says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALLS_MAX, CALL_BYTES_MAX, MESSAGE_BYTES_MAX } from '../calls.js';
import { Machine, OPENING_MS_MAX, REFRESH_PAUSE_MS, STEADY_MS } from '../machine.js';
import { PING_WAIT_MS_MAX, RECONNECT_MS_MAX } from '../pacing.js';

/** A machine in a world in which time passes only when it is told to. */
class World {
  now = 0;
  until = Infinity;
  calls = 0;
  /** What the machine draws, one after the other; then always the last. */
  draws = [0.5];

  constructor(settings = {}) {
    const draw = () => (this.draws.length > 1 ? this.draws.shift() : this.draws[0]);
    this.machine = new Machine({ draw, heartbeatInterval: 0, ...settings });
  }

  /** @returns {string[]} the orders in short; those that set the timer are carried out */
  take(fact) {
    const orders = this.machine.handle(fact, this.now);
    for (const { order, until } of orders) if (order === 'wait') this.until = until;
    return orders.filter(({ order }) => order !== 'wait').map(brief);
  }

  hear(event, data, requestId) {
    return this.take({ fact: 'message', text: JSON.stringify({ event, data, requestId, version: '1' }) });
  }

  /** Lets time pass to the machine's deadline. */
  wait() {
    assert.notEqual(this.until, Infinity, 'it waits for nothing');
    this.now = Math.max(this.now, this.until);
    return this.take({ fact: 'tick' });
  }

  call(event, data, more = {}) {
    this.calls += 1;
    return this.take({ fact: 'call', call: this.calls, event, data, timeoutMs: 0, ...more });
  }

  /** A message with an id of the client's. */
  say(id, content = id, more = {}) {
    return this.call('chat:message:send', { roomId: 'team', id, content }, { mayRepeat: true, hasOwnId: true, ...more });
  }

  join(kind, id, more = {}) {
    this.calls += 1;
    return this.take({ fact: 'join', call: this.calls, kind, id, timeoutMs: 0, ...more });
  }

  open() {
    this.take({ fact: 'connect' });
    return this.letIn();
  }

  /** The socket opens, and the first thing is heard. @returns {string[]} without the ping that asks for it */
  letIn() {
    const sent = this.take({ fact: 'opened' });
    const heard = this.hear('pong', {}, 'ping');
    return [...heard, ...sent.filter((order) => order !== '> ping ping {}')];
  }

  lose(code = 1006, reason = '') {
    return this.take({ fact: 'closed', code, reason });
  }

  /** Waits for the pause to be over, and opens. */
  comeBack() {
    this.wait();
    return this.letIn();
  }
}

function brief({ order, text, call, data, error, event, code }) {
  switch (order) {
    case 'send': {
      const frame = JSON.parse(text);
      return `> ${frame.requestId} ${frame.event} ${JSON.stringify(frame.data)}`;
    }
    case 'resolve':
      return `resolve ${call} ${JSON.stringify(data)}`;
    case 'reject':
      return `reject ${call} ${error.code}`;
    case 'emit':
      return `${event} ${JSON.stringify(data)}`;
    case 'close':
      return `close ${code}`;
    default:
      return order;
  }
}

const message = (seq, id = `m${seq}`) => ({ id, seq, type: 'chat', roomId: 'team', senderId: 'ben', content: id });
const told = (seq) => `chat:message:received ${JSON.stringify(message(seq))}`;
const joined = (lastSeq, messages = [], more = {}) => ({ roomId: 'team', name: 'Team', lastSeq, messages, hasMore: false, ...more });

/** A world in which the room `team` is joined, and 3 was the last entry heard. */
function inTeam(settings) {
  const world = new World(settings);
  world.open();
  world.join('chat', 'team');
  world.hear('chat:room:joined', joined(3, [message(2), message(3)]), 'own-1');
  return world;
}

test('each pause is drawn from a range that doubles up to 30 s', () => {
  for (const drawn of [0, 0.25, 0.999]) {
    const world = new World();
    world.draws = [drawn];
    world.take({ fact: 'connect' });
    for (const longest of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]) {
      const lostAt = world.now;
      world.lose();
      assert.equal(world.machine.state, 'waiting');
      assert.equal(world.until, lostAt + drawn * longest);
      assert.deepEqual(world.wait().at(-1), 'open');
    }
  }
});

test('the pauses begin anew after a connection that heard something, or held for a while, and after no other', () => {
  const world = new World();
  const pauseAfter = (hold) => {
    world.take({ fact: 'opened' });
    hold();
    world.lose();
    const pause = world.until - world.now;
    world.wait();
    return pause;
  };
  world.take({ fact: 'connect' });
  world.lose();
  world.wait();
  assert.equal(pauseAfter(() => {}), 1_000);
  assert.equal(pauseAfter(() => (world.now += STEADY_MS - 1)), 2_000);
  assert.equal(pauseAfter(() => (world.now += STEADY_MS)), 500);
  assert.equal(pauseAfter(() => {}), 1_000);
  assert.equal(pauseAfter(() => world.hear('chat:message:received', {})), 500);
});

test('a connection that is refused, finished or superseded is not opened again', () => {
  for (const code of [1000, 1008, 4001, 4401, 4403]) {
    const world = new World();
    world.open();
    world.call('chat:room:create', { name: 'x' });
    assert.deepEqual(world.lose(code, 'why'), ['reject 1 CONNECTION_LOST', `closed {"code":${code},"reason":"why"}`]);
    assert.equal(world.machine.state, 'closed');
    assert.equal(world.until, Infinity);
  }
});

test('a connection that ends otherwise is opened again', () => {
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4000, 4002]) {
    const world = new World();
    world.open();
    world.lose(code);
    assert.equal(world.machine.state, 'waiting', `${code}`);
    assert.deepEqual(world.wait(), ['connecting {"attempt":1}', 'open']);
  }
});

test('it gives up after as many attempts as are allowed, and without autoReconnect at once', () => {
  const world = new World({ reconnectAttempts: 2 });
  world.take({ fact: 'connect' });
  world.lose();
  world.wait();
  world.lose();
  world.wait();
  assert.deepEqual(world.lose(), ['closed {"code":1006,"reason":"given up after 2 attempts"}']);
  assert.deepEqual(world.take({ fact: 'connect' }), ['connecting {"attempt":0}', 'open']);

  const once = new World({ autoReconnect: false });
  once.open();
  assert.deepEqual(once.lose(1012, 'bye'), ['closed {"code":1012,"reason":"bye"}']);
});

test('a server that stops says when to come back', () => {
  const world = new World();
  world.open();
  world.hear('chat:message:received', {});
  world.hear('server_shutdown', { reason: 'restarting', reconnectAfterMs: 4_000 });
  world.lose(1012);
  assert.equal(world.until, 4_500);
  assert.deepEqual(world.take({ fact: 'online' }), [], 'the network is not what it waits for');
  assert.equal(world.until, 4_000);

  world.comeBack();
  world.hear('chat:message:received', {});
  world.hear('server_shutdown', { reconnectAfterMs: 1e12 });
  world.lose(1012);
  assert.equal(world.until, 4_000 + RECONNECT_MS_MAX + 500);
});

test('when the network goes the connection is given up, and when it is back tried at once', () => {
  const world = new World();
  world.draws = [0.9];
  world.open();
  assert.equal(world.take({ fact: 'offline' })[0], 'close 4000');
  assert.equal(world.machine.state, 'waiting');
  world.now += 100;
  assert.deepEqual(world.take({ fact: 'online' }), ['connecting {"attempt":1}', 'open']);
});

test('a connection is open when something is heard over it, which is asked for if need be', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  assert.deepEqual(world.take({ fact: 'opened' }), ['> ping ping {}']);
  assert.equal(world.machine.state, 'connecting');
  assert.deepEqual(world.hear('pong', {}, 'ping'), ['open {}']);
  assert.equal(world.machine.state, 'open');

  const refused = new World();
  refused.take({ fact: 'connect' });
  refused.join('chat', 'team');
  assert.deepEqual(refused.take({ fact: 'opened' }), ['> own-1 chat:room:join {"roomId":"team"}']);
  assert.deepEqual(refused.lose(1008, 'no'), ['reject 1 CONNECTION_LOST', 'closed {"code":1008,"reason":"no"}']);
});

test('opening that takes too long is given up', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  assert.equal(world.until, OPENING_MS_MAX);
  assert.equal(world.wait()[0], 'close 4000');
  assert.equal(world.machine.state, 'waiting');
});

test('silence is answered with a ping, and silence after it is the end', () => {
  const world = new World({ heartbeatInterval: 20_000 });
  world.open();
  world.now = 5_000;
  world.hear('chat:message:received', {});
  assert.equal(world.until, 25_000);
  assert.deepEqual(world.wait(), ['> ping ping {}']);
  world.now += 10;
  assert.deepEqual(world.hear('pong', {}, 'ping'), []);
  assert.deepEqual(world.wait(), ['> ping ping {}']);
  assert.equal(world.until, world.now + PING_WAIT_MS_MAX);
  assert.equal(world.wait()[0], 'close 4000');
  assert.equal(world.machine.state, 'waiting');
});

test('a call is answered under its id, with its result or its error', () => {
  const world = new World();
  world.open();
  assert.deepEqual(world.call('a', { x: 1 }), ['> 1 a {"x":1}']);
  assert.deepEqual(world.call('b'), ['> 2 b {}']);
  assert.deepEqual(world.hear('b:done', { y: 2 }, '2'), ['resolve 2 {"y":2}']);
  assert.deepEqual(world.hear('chat:error', { code: 'NOT_FOUND', message: 'no', recoverable: false }, '1'), ['reject 1 NOT_FOUND']);
  assert.deepEqual(world.hear('a', {}, '1'), [], 'answered twice');
  world.call('c');
  assert.deepEqual(world.hear('c', { code: 'CONFLICT', message: 'no', recoverable: true }, '3'), ['reject 3 CONFLICT']);
  world.call('d');
  assert.deepEqual(world.hear('d', { code: 'DE', message: 'a country' }, '4'), ['resolve 4 {"code":"DE","message":"a country"}']);
});

test('a call that is not answered in time is refused, sent or not', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  world.call('a', {}, { timeoutMs: 100 });
  world.now = 50;
  world.letIn();
  world.call('b', {}, { timeoutMs: 100 });
  assert.deepEqual(world.wait(), ['reject 1 CONNECTION_LOST']);
  assert.equal(world.now, 100);
  assert.deepEqual(world.wait(), ['reject 2 CONNECTION_LOST']);
  assert.equal(world.now, 150);
  assert.deepEqual(world.hear('a', {}, '1'), [], 'too late');
});

test('a lost connection ends the calls that were under way, but not those that still wait and those that may be repeated', () => {
  const world = new World();
  world.open();
  world.call('chat:robot:interact', { roomId: 'team', prompt: '?' });
  world.say('m1', 'Hello');
  assert.equal(world.lose()[0], 'reject 1 CONNECTION_LOST');
  assert.deepEqual(world.call('chat:escalation:create', { roomId: 'team', reason: 'r' }), []);
  assert.deepEqual(world.comeBack().slice(1), [
    '> 2 chat:message:send {"roomId":"team","id":"m1","content":"Hello"}',
    '> 3 chat:escalation:create {"roomId":"team","reason":"r"}',
  ]);
  assert.deepEqual(world.hear('chat:message:send', { id: 'm1', seq: 1 }, '2'), ['resolve 2 {"id":"m1","seq":1}']);
  world.lose();
  assert.deepEqual(world.comeBack(), ['open {}'], 'what was answered is not sent again');
});

test('what the app changes in its data after the call is not sent', () => {
  const world = new World();
  world.open();
  const data = { roomId: 'team', id: 'm1', content: 'first' };
  world.call('chat:message:send', data, { mayRepeat: true });
  data.content = 'second';
  world.lose();
  assert.deepEqual(world.comeBack()[1], '> 1 chat:message:send {"roomId":"team","id":"m1","content":"first"}');
});

test('a message that a connection was closed for is not sent again', () => {
  for (const code of [1002, 1003, 1007, 1009]) {
    const world = new World();
    world.open();
    world.say('m1');
    assert.equal(world.lose(code)[0], 'reject 1 CONNECTION_LOST');
    assert.deepEqual(world.comeBack(), ['open {}']);
  }
});

test('at most 1000 calls wait', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  for (let made = 0; made < CALLS_MAX; made += 1) assert.deepEqual(world.say(`m${made}`), []);
  assert.deepEqual(world.say('over'), ['reject 1001 OVERLOADED']);
  assert.equal(world.letIn().length, 1 + CALLS_MAX);
  world.hear('chat:message:send', { id: 'm0', seq: 1 }, '1');
  assert.equal(world.say('fits')[0].slice(0, 6), '> 1002');
});

test('at most 1 MiB of calls waits, and no message is larger than the server takes', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  assert.deepEqual(world.say('big', 'é'.repeat(MESSAGE_BYTES_MAX / 2)), ['reject 1 TOO_LARGE']);
  let taken = 0;
  while (world.say('m', 'x'.repeat(60_000)).length === 0) taken += 1;
  assert.equal(taken, Math.floor(CALL_BYTES_MAX / 60_120));
});

test('messages that are refused for the rate are sent again after the pause that was asked for', () => {
  const world = new World();
  world.open();
  world.say('m1');
  world.say('m2');
  const refusal = { code: 'RATE_LIMITED', message: 'too many', details: { retryAfterMs: 7_000 }, recoverable: true };
  assert.deepEqual(world.hear('chat:error', refusal, '1'), []);
  assert.deepEqual(world.hear('chat:error', refusal, '2'), []);
  assert.deepEqual(world.say('m3'), [], 'it keeps its place');
  assert.deepEqual(world.wait().map((one) => one.split(' ', 2)[1]), ['1', '2', '3']);
  assert.equal(world.now, 7_500);
  world.call('chat:room:create', { name: 'x' });
  assert.deepEqual(world.hear('chat:error', refusal, '4'), ['reject 4 RATE_LIMITED']);
});

test('after a reconnection a room is joined with what was heard last, and what was missed is told in order and once', () => {
  const world = inTeam();
  assert.deepEqual(world.hear('chat:message:received', message(4)), [told(4)]);
  world.lose();
  assert.deepEqual(world.comeBack(), ['open {}', '> own-2 chat:room:join {"roomId":"team","since":4}']);
  assert.deepEqual(world.hear('chat:room:joined', joined(7, [message(4), message(5), message(6)]), 'own-2'), [
    'rejoined {"kind":"chat","id":"team","answer":{"roomId":"team","name":"Team","lastSeq":7,"hasMore":false}}',
    told(5),
    told(6),
  ]);
  assert.deepEqual(world.hear('chat:message:received', message(6)), []);
  assert.deepEqual(world.hear('chat:message:received', message(7)), [told(7)]);
});

test('what the first join brings is its answer and no event', () => {
  const world = new World();
  world.open();
  world.join('chat', 'team', { since: 5 });
  const answer = joined(6, [message(6)]);
  assert.deepEqual(world.hear('chat:room:joined', answer, 'own-1'), [`resolve 1 ${JSON.stringify(answer)}`]);
  assert.deepEqual(world.hear('chat:message:received', message(6)), []);
  assert.deepEqual(world.hear('chat:message:received', message(7)), [told(7)]);
});

test('a message in front of which one is missing is not told; the room is joined again from before it', () => {
  const world = inTeam();
  assert.deepEqual(world.hear('chat:message:received', message(5)), ['> own-2 chat:room:join {"roomId":"team","since":3}']);
  assert.deepEqual(world.hear('chat:message:received', message(6)), []);
  assert.deepEqual(world.hear('chat:room:joined', joined(6, [message(4), message(5), message(6)]), 'own-2').slice(1), [told(4), told(5), told(6)]);
});

test('when what was heard does not continue the app is told so, and begins with the page', () => {
  const world = inTeam();
  world.lose();
  world.comeBack();
  const answer = joined(2, [message(1), message(2)], { reset: true });
  assert.deepEqual(world.hear('chat:room:joined', answer, 'own-2'), [`reset {"kind":"chat","id":"team","answer":${JSON.stringify(answer)}}`]);
  assert.deepEqual(world.hear('chat:message:received', message(2)), []);
  assert.deepEqual(world.hear('chat:message:received', message(3)), [told(3)]);
});

test('an own message counts as heard once it is answered', () => {
  const world = inTeam();
  world.say('mine');
  world.hear('chat:message:send', { id: 'mine', seq: 4 }, '2');
  assert.deepEqual(world.hear('chat:message:received', message(5)), [told(5)]);
  world.lose();
  assert.deepEqual(world.comeBack()[1], '> own-2 chat:room:join {"roomId":"team","since":5}');
});

test('what settles an escalation counts as heard, too, although its call does not name the room', () => {
  const world = inTeam();
  world.call('chat:escalation:resolve', { escalationId: 'e' });
  world.hear('chat:escalation:resolved', { ...message(4), escalationId: 'e', by: 'ada' }, '2');
  assert.deepEqual(world.hear('chat:message:received', message(5)), [told(5)]);
});

test('an own message whose answer was lost is answered by the page that has it, and told to nobody', () => {
  const world = inTeam();
  world.say('mine');
  world.lose();
  assert.deepEqual(world.comeBack().slice(1), [
    '> own-2 chat:room:join {"roomId":"team","since":3}',
    '> 2 chat:message:send {"roomId":"team","id":"mine","content":"mine"}',
  ]);
  const page = [message(4), { ...message(5, 'mine'), timestamp: 't', deliveryStatus: 'delivered' }, message(6)];
  assert.deepEqual(world.hear('chat:room:joined', joined(6, page), 'own-2'), [
    'resolve 2 {"id":"mine","seq":5,"timestamp":"t","deliveryStatus":"delivered"}',
    'rejoined {"kind":"chat","id":"team","answer":{"roomId":"team","name":"Team","lastSeq":6,"hasMore":false}}',
    told(4),
    told(6),
  ]);
  assert.deepEqual(world.hear('chat:message:send', { id: 'mine', seq: 5 }, '2'), []);
});

test('an own message whose answer overtakes the page is not told either', () => {
  const world = inTeam();
  world.say('mine');
  world.lose();
  world.comeBack();
  assert.deepEqual(world.hear('chat:message:send', { id: 'mine', seq: 5 }, '2'), ['resolve 2 {"id":"mine","seq":5}']);
  assert.deepEqual(world.hear('chat:room:joined', joined(6, [message(4), message(5, 'mine'), message(6)]), 'own-2').slice(1), [told(4), told(6)]);
});

test('a moved read cursor has a seq and is no entry', () => {
  const world = inTeam();
  assert.deepEqual(world.hear('chat:message:read', { roomId: 'team', userId: 'ben', seq: 1 }), ['chat:message:read {"roomId":"team","userId":"ben","seq":1}']);
  world.call('chat:message:read', { roomId: 'team', seq: 900 });
  assert.deepEqual(world.hear('chat:message:read', { seq: 900 }, '2'), ['resolve 2 {"seq":900}']);
  assert.deepEqual(world.hear('chat:message:received', message(4)), [told(4)]);
});

test('entries of a project may leave numbers out, and are told once', () => {
  const world = new World();
  world.open();
  assert.deepEqual(world.join('project', 'p'), ['> own-1 join_project {"projectId":"p"}']);
  assert.deepEqual(world.hear('joined_project', { projectId: 'p', lastSeq: 5 }, 'own-1'), ['resolve 1 {"projectId":"p","lastSeq":5}']);
  const story = { projectId: 'p', seq: 9 };
  assert.deepEqual(world.hear('story_uploaded', story), ['story_uploaded {"projectId":"p","seq":9}']);
  assert.deepEqual(world.hear('story_uploaded', story), []);
  assert.deepEqual(world.hear('export_progress', { projectId: 'p', percent: 3 }), ['export_progress {"projectId":"p","percent":3}']);
  world.lose();
  assert.deepEqual(world.comeBack()[1], '> own-2 join_project {"projectId":"p","since":9}');
});

test('a feed keeps what is told to the user apart from what is told to all', () => {
  const world = new World();
  world.open();
  assert.deepEqual(world.join('feed', '', { since: 2, all: 7 }), ['> own-1 feed:join {"since":2,"all":7}']);
  world.hear('feed:joined', { lastSeq: 3, allSeq: 8 }, 'own-1');
  assert.equal(world.hear('note', { feed: 'user', seq: 3 }).length, 1);
  assert.equal(world.hear('note', { feed: 'all', seq: 8 }).length, 1);
  assert.equal(world.hear('note', { feed: 'all', seq: 3 }).length, 0);
  world.lose();
  assert.deepEqual(world.comeBack()[1], '> own-2 feed:join {"since":3,"all":8}');
});

test('what a feed tells before it is joined again is left to what follows the join', () => {
  const world = new World();
  world.open();
  assert.equal(world.hear('note', { feed: 'user', seq: 1 }).length, 1, 'nobody has joined');
  world.join('feed', '');
  assert.equal(world.hear('note', { feed: 'user', seq: 2 }).length, 1, 'it is not told again');
  world.hear('feed:joined', { lastSeq: 2, allSeq: 0 }, 'own-1');
  world.lose();
  assert.deepEqual(world.comeBack()[1], '> own-2 feed:join {"since":2,"all":0}');
  assert.deepEqual(world.hear('note', { feed: 'user', seq: 4 }), []);
  world.hear('feed:joined', { lastSeq: 4, allSeq: 0 }, 'own-2');
  assert.deepEqual(world.hear('note', { feed: 'user', seq: 3 }), ['note {"feed":"user","seq":3}']);
  assert.deepEqual(world.hear('note', { feed: 'user', seq: 4 }), ['note {"feed":"user","seq":4}']);
});

test('a feed that begins anew for everyone does not for the user', () => {
  const world = new World();
  world.open();
  world.join('feed', '', { since: 5, all: 90_000 });
  world.hear('feed:joined', { lastSeq: 6, allSeq: 20, allReset: true }, 'own-1');
  assert.equal(world.hear('note', { feed: 'user', seq: 5 }).length, 0);
  assert.equal(world.hear('note', { feed: 'user', seq: 6 }).length, 1);
  assert.equal(world.hear('note', { feed: 'all', seq: 20 }).length, 1);
});

test('what a backend says in a chat room is an entry like others, whatever it is called', () => {
  const world = inTeam();
  const built = { ...message(4), type: 'system', senderId: '', deliveryStatus: 'delivered' };
  assert.deepEqual(world.hear('build_finished', built), [`build_finished ${JSON.stringify(built)}`]);
  assert.deepEqual(world.hear('build_finished', built), []);
  assert.deepEqual(world.hear('chat:message:received', message(5)), [told(5)]);
});

test('a room that cannot be joined again for a while is asked for again, and one that is closed is told', () => {
  const world = inTeam();
  world.lose();
  world.comeBack();
  const busy = { code: 'STORE_UNAVAILABLE', message: 'later', details: { retryAfterMs: 3_000 }, recoverable: true };
  const begun = world.now;
  assert.deepEqual(world.hear('chat:error', busy, 'own-2'), []);
  assert.deepEqual(world.wait(), ['> own-3 chat:room:join {"roomId":"team","since":3}']);
  assert.equal(world.now, begun + 3_500);
  const denied = { code: 'ROOM_ACCESS_DENIED', message: 'no', recoverable: false };
  assert.deepEqual(world.hear('chat:error', denied, 'own-3'), [`refused {"kind":"chat","id":"team","error":${JSON.stringify(denied)}}`]);
  world.lose();
  assert.deepEqual(world.comeBack(), ['open {}']);
});

test('joining while there is no connection waits for one, and leaving takes it back', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  assert.deepEqual(world.join('chat', 'team'), []);
  assert.deepEqual(world.join('chat', 'other'), []);
  const leave = { fact: 'leave', call: 3, kind: 'chat', id: 'other', timeoutMs: 0 };
  assert.deepEqual(world.take(leave), ['reject 2 CLIENT_ERROR', 'resolve 3 {"roomId":"other"}']);
  assert.deepEqual(world.letIn(), ['open {}', '> own-1 chat:room:join {"roomId":"team"}']);
  world.lose();
  assert.deepEqual(world.comeBack()[1], '> own-2 chat:room:join {"roomId":"team"}', 'the caller still waits');
  assert.deepEqual(world.hear('chat:room:joined', joined(0), 'own-2').length, 1);
});

test('a room whose joining took too long is left, whether the server let the client in or not', () => {
  const world = new World();
  world.open();
  world.join('chat', 'team', { timeoutMs: 100 });
  world.join('chat', 'team', { timeoutMs: 200 });
  assert.deepEqual(world.wait(), ['reject 1 CONNECTION_LOST'], 'another still waits');
  assert.deepEqual(world.wait(), ['reject 2 CONNECTION_LOST', '> own-2 chat:room:leave {"roomId":"team"}']);
  assert.deepEqual(world.hear('chat:room:joined', joined(0), 'own-1'), []);
  assert.deepEqual(world.hear('chat:room:left', { roomId: 'team' }, 'own-2'), []);
  assert.deepEqual(world.join('chat', 'team'), ['> own-3 chat:room:join {"roomId":"team"}']);
  world.hear('chat:room:joined', joined(0), 'own-3');
  assert.deepEqual(world.join('chat', 'team', { timeoutMs: 100 }), ['> own-4 chat:room:join {"roomId":"team"}']);
  assert.deepEqual(world.wait(), ['reject 4 CONNECTION_LOST'], 'it was in before, and stays');
  world.join('project', 'saga', { timeoutMs: 100 });
  assert.deepEqual(world.wait(), ['reject 5 CONNECTION_LOST', '> own-6 leave_project {"projectId":"saga"}']);
  world.join('feed', '', { timeoutMs: 100 });
  assert.deepEqual(world.wait(), ['reject 6 CONNECTION_LOST'], 'nobody leaves a feed');
});

test('nothing is said of a room whose joining took too long while there was no connection', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  world.join('chat', 'team', { timeoutMs: 100 });
  assert.deepEqual(world.wait(), ['reject 1 CONNECTION_LOST']);
  assert.deepEqual(world.letIn(), ['open {}']);
});

test('a token that ends is renewed, and asked for again when that fails', () => {
  const world = new World({ canRefresh: true });
  world.open();
  assert.deepEqual(world.hear('auth:expiring', { expiresAt: 't' }), ['refresh', 'auth:expiring {"expiresAt":"t"}']);
  assert.equal(world.take({ fact: 'token_failed', message: 'offline' })[0].slice(0, 14), 'refresh_failed');
  assert.deepEqual(world.wait(), ['refresh']);
  assert.equal(world.now, REFRESH_PAUSE_MS);
  assert.deepEqual(world.take({ fact: 'token', token: 'new' }), ['> own-1 auth:refresh {"token":"new"}']);
  const refusal = { code: 'AUTH_FAILED', message: 'no', recoverable: false };
  assert.deepEqual(world.hear('chat:error', refusal, 'own-1'), [`refresh_failed ${JSON.stringify(refusal)}`]);
  assert.deepEqual(world.wait(), ['refresh']);
  world.take({ fact: 'token', token: 'newer' });
  assert.deepEqual(world.hear('auth:refreshed', { expiresAt: 'u' }, 'own-2'), ['auth:refreshed {"expiresAt":"u"}']);
  assert.equal(world.until, Infinity);
});

test('a token that is only text is for the app to renew', () => {
  const world = new World();
  world.open();
  assert.deepEqual(world.hear('auth:expiring', { expiresAt: 't' }), ['auth:expiring {"expiresAt":"t"}']);
});

test("a backend's event that is called like one of the client's is told apart", () => {
  const world = new World();
  world.open();
  assert.deepEqual(world.hear('closed', { code: 1000 }), ['server:closed {"code":1000}']);
});

test('disconnecting ends everything that waits, and forgets the rooms', () => {
  const world = inTeam();
  world.say('mine');
  assert.deepEqual(world.take({ fact: 'disconnect' }), ['close 1000', 'reject 2 CONNECTION_LOST', 'closed {"code":1000,"reason":"disconnected"}']);
  assert.deepEqual(world.say('more'), ['reject 3 CONNECTION_LOST']);
  assert.deepEqual(world.open(), ['open {}']);
});

test('frames that are none are passed over', () => {
  const world = new World();
  world.open();
  for (const text of ['', '{', 'null', '[]', '{"event":1}', '"text"']) assert.deepEqual(world.take({ fact: 'message', text }), []);
});
