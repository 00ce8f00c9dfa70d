// The dashboard's client alone, in Node: time and chance are what the test says, and the test is the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATTEMPTS_MAX, Machine } from '../../web/dashboards/machine.js';
import { EARLY_MAX } from '../../web/dashboards/missed.js';
import { OPERATIONS_MAX, SENT_MAX } from '../../web/dashboards/operations.js';
import { POLL_MS, POST_BYTES_MAX } from '../../web/dashboards/posts.js';
import { FRAME_BYTES_MAX } from '../../web/dashboards/wire.js';

const widget = (widgetId, version, value, updatedBy = 'ben') => ({ widgetId, version, value, updatedBy, updatedAt: 'T' });
const layout = (version, value, updatedBy = 'ben') => ({ version, value, updatedBy, updatedAt: 'T' });
const full = (seq, widgets = [], laid = null) => ({ seq, full: true, widgets, removed: [], layout: laid });

/** A machine in a world in which time passes only when it is told to. */
class World {
  now = 0;
  until = Infinity;
  ids = 0;
  told = [];

  constructor(settings = {}) {
    this.machine = new Machine({ draw: () => 0.5, userId: 'ada', ...settings });
  }

  /** @returns {any[]} the frames that are sent, and what else is ordered by its name */
  take(fact) {
    const orders = this.machine.handle(fact, this.now);
    this.until = orders.find(({ order }) => order === 'wait').until;
    this.told.push(...orders.filter(({ order, event }) => order === 'tell' && event !== 'changed'));
    const rest = orders.filter(({ order }) => order !== 'wait' && order !== 'tell');
    return rest.map((one) => (one.order === 'send' ? one.frame : one.order === 'post' ? one.body : one.order));
  }

  wait() {
    assert.notEqual(this.until, Infinity, 'it waits for nothing');
    this.now = Math.max(this.now, this.until);
    return this.take({ fact: 'tick' });
  }

  hear(type, payload, correlationId) {
    return this.take({ fact: 'message', frame: { type, id: 's', timestamp: 'T', userId: 'ben', payload, correlationId } });
  }

  /** Opens the socket and answers what it asks with. @returns {any[]} what is sent then */
  open(sync) {
    this.take({ fact: 'connect' });
    return this.comeBack(sync);
  }

  comeBack(sync) {
    const [asked] = this.take({ fact: 'opened' });
    assert.equal(asked.type, 'SYNC_REQUEST');
    this.since = asked.payload.since;
    return this.hear('SYNC_RESPONSE', sync, asked.id);
  }

  /** Lets time pass, and every attempt to open a socket fail, until something is posted. @returns {any} what */
  untilPosted() {
    for (let facts = 0; facts < 100; facts += 1) {
      const orders = this.wait();
      if (orders.includes('open')) orders.push(...this.take({ fact: 'closed', code: 1006 }));
      const posted = orders.find((one) => one.type === 'SYNC');
      if (posted) return posted;
    }
    return assert.fail('nothing is posted');
  }

  do(done) {
    this.ids += 1;
    return this.take({ fact: 'do', operation: { id: `op-${this.ids}`, ...done } });
  }

  update(widgetId, changes) {
    return this.do({ kind: 'update', widgetId, changes });
  }

  move(moves, before = {}) {
    return this.do({ kind: 'layout', widgetId: null, moves, before });
  }

  shown(id) {
    return this.machine.operations.shownWidgets(this.machine.board.widgets).get(id)?.value;
  }

  get places() {
    return this.machine.operations.shownPlaces(this.machine.board.layout);
  }

  get pending() {
    return this.machine.operations.pending.map(({ id }) => id);
  }
}

test('a change is shown at once, counted until it is answered, and stands then with its version', () => {
  const world = new World();
  world.open(full(3, [widget('w', 5, { title: 'Sales', value: 1 })]));
  const [sent] = world.update('w', { value: 2 });
  assert.deepEqual(sent, { id: 'op-1', type: 'WIDGET_UPDATE', payload: { widgetId: 'w', baseVersion: 5, changes: { value: 2 } } });
  assert.deepEqual([world.shown('w'), world.pending], [{ title: 'Sales', value: 2 }, ['op-1']]);
  world.hear('ACK', { widgetId: 'w', version: 6, seq: 4 }, 'op-1');
  assert.deepEqual([world.shown('w'), world.pending, world.machine.board.seq], [{ title: 'Sales', value: 2 }, [], 4]);
  assert.deepEqual(world.machine.board.widgets.get('w'), { ...widget('w', 6, { title: 'Sales', value: 2 }, 'ada') });
});

test('what is done to one widget while a change of it is on its way waits, is put together, and goes after it', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1, b: 1 })]));
  world.update('w', { a: 2 });
  assert.deepEqual(world.update('w', { a: 3 }), []);
  assert.deepEqual(world.update('w', { b: 9 }), []);
  assert.deepEqual(world.pending, ['op-1', 'op-2']);
  const [next] = world.hear('ACK', { widgetId: 'w', version: 2, seq: 2 }, 'op-1');
  assert.deepEqual([next.id, next.payload], ['op-2', { widgetId: 'w', baseVersion: 2, changes: { a: 3, b: 9 } }]);
});

test('a change that waits is based on what there is when others touched something else, and on what was seen when not', () => {
  for (const [changes, base] of [[{ b: 9 }, 3], [{ c: 9 }, 1]]) {
    const world = new World();
    world.open(full(1, [widget('w', 1, { a: 1, b: 1, c: 1 })]));
    world.update('w', { a: 2 });
    world.update('w', changes);
    world.hear('WIDGET_UPDATE', { widgetId: 'w', version: 2, changes: { c: 5 }, seq: 2 });
    const [next] = world.hear('ACK', { widgetId: 'w', version: 3, seq: 3, merged: true }, 'op-1');
    assert.equal(next.payload.baseVersion, base, JSON.stringify(changes));
  }
});

test('a form that was open while somebody changed the same field is based on what was seen, else on what there is', () => {
  for (const [changes, base] of [[{ a: 9 }, 1], [{ b: 9 }, 2]]) {
    const world = new World();
    world.open(full(1, [widget('w', 1, { a: 1, b: 1 })]));
    assert.deepEqual(world.do({ kind: 'update', widgetId: 'w', isBegun: true }), []);
    assert.deepEqual(world.pending, [], 'a form alone is nothing that waits');
    world.hear('WIDGET_UPDATE', { widgetId: 'w', version: 2, changes: { a: 5 }, seq: 2 });
    const [sent] = world.take({ fact: 'finish', id: 'op-1', changes });
    assert.equal(sent.payload.baseVersion, base, JSON.stringify(changes));
  }
});

test('after a loss what was missed is asked for, and what was not answered is sent again exactly as it was', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1 }), widget('v', 1, { a: 1 })]));
  const [sent] = world.update('w', { a: 2 });
  world.take({ fact: 'closed', code: 1006 });
  assert.equal(world.machine.state, 'waiting');
  world.update('v', { a: 7 });
  assert.deepEqual(world.pending, ['op-1', 'op-2']);
  assert.deepEqual(world.wait(), ['open']);
  // The first was stored, and its answer lost; then somebody else changed the same widget.
  const again = world.comeBack({ seq: 3, full: false, widgets: [widget('w', 3, { a: 2, b: 3 })], removed: [], layout: null });
  assert.equal(world.since, 1);
  assert.deepEqual(again[0], sent);
  assert.deepEqual(again[1].payload, { widgetId: 'v', baseVersion: 1, changes: { a: 7 } });
  world.hear('ACK', { widgetId: 'w', version: 2, seq: 2 }, 'op-1');
  assert.deepEqual([world.shown('w'), world.machine.board.widgets.get('w').version, world.machine.board.seq], [{ a: 2, b: 3 }, 3, 3]);
});

test('what others do is applied in its order; a gap is asked for, and what came early goes after the answer', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1 })]));
  world.hear('WIDGET_UPDATE', { widgetId: 'w', version: 2, changes: { a: 2, b: 2 }, seq: 2 });
  world.hear('WIDGET_UPDATE', { widgetId: 'w', version: 2, changes: { a: 0 }, seq: 2 });
  assert.deepEqual(world.shown('w'), { a: 2, b: 2 });
  const [asked] = world.hear('WIDGET_UPDATE', { widgetId: 'w', version: 4, changes: { b: null }, seq: 4 });
  assert.deepEqual([asked.type, asked.payload], ['SYNC_REQUEST', { since: 2 }]);
  world.hear('SYNC_RESPONSE', { seq: 3, full: false, widgets: [widget('w', 3, { a: 3, b: 2 })], removed: [], layout: null }, asked.id);
  assert.deepEqual([world.shown('w'), world.machine.board.seq], [{ a: 3 }, 4]);
  world.hear('WIDGET_BATCH', {
    seq: 5,
    operations: [
      { type: 'WIDGET_UPDATE', payload: { widgetId: 'v', version: 1, changes: { x: 1 } } },
      { type: 'WIDGET_DELETE', payload: { widgetId: 'w', version: 5 } },
    ],
  });
  assert.deepEqual([world.shown('w'), world.shown('v')], [undefined, { x: 1 }]);
});

test('an answer that was overtaken tells nothing, and a log that begins anew replaces all', () => {
  const world = new World();
  world.open(full(5, [widget('w', 5, { a: 5 })], layout(3, { w: { x: 3 } })));
  const [asked] = world.hear('WIDGET_DELETE', { widgetId: 'v', version: 1, seq: 9 });
  world.hear('SYNC_RESPONSE', { seq: 4, full: false, widgets: [widget('w', 4, { a: 4 })], removed: ['w'], layout: null }, asked.id);
  assert.deepEqual([world.shown('w'), world.machine.board.seq], [{ a: 5 }, 5]);
  world.take({ fact: 'closed', code: 1006 });
  world.wait();
  world.comeBack(full(2, [widget('w', 1, { a: 1 })], layout(1, { w: { x: 1 } })));
  assert.deepEqual([world.shown('w'), world.places, world.machine.board.seq], [{ a: 1 }, { w: { x: 1 } }, 2]);
});

test('what backends say is told once: live, behind the answer that has counted it, in that of a request, and when it is not stored', () => {
  const world = new World();
  world.open(full(3));
  const said = (seq) => world.hear('SYNC_UPDATE', { event: `event-${seq}`, data: {}, seq });
  said(undefined);
  said(4);
  assert.equal(world.machine.board.seq, 4);
  world.take({ fact: 'closed', code: 1006 });
  world.wait();
  const [asked] = world.take({ fact: 'opened' });
  said(7);
  world.hear('SYNC_RESPONSE', { seq: 7, full: false, widgets: [], removed: [], layout: null }, asked.id);
  for (const seq of [5, 6, 7]) said(seq);
  assert.deepEqual(world.told.map(({ name }) => name), ['event-undefined', 'event-4', 'event-7', 'event-5', 'event-6']);
  assert.equal(world.machine.board.seq, 7);

  const polling = new World();
  polling.take({ fact: 'connect' });
  polling.take({ fact: 'closed', code: 1006 });
  polling.wait();
  polling.take({ fact: 'closed', code: 1006 });
  polling.take({ fact: 'posted', answer: { results: [], sync: full(3) } });
  polling.untilPosted();
  const updates = [{ event: 'first', data: {}, seq: 4 }, { event: 'second', data: {}, seq: 5 }];
  polling.take({ fact: 'posted', answer: { results: [], sync: { seq: 5, full: false, widgets: [], removed: [], layout: null, updates } } });
  assert.deepEqual(polling.told.map(({ name }) => name), ['first', 'second']);
});

test('all of it in the answer to a request does not put back what was heard over the socket meanwhile', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  world.take({ fact: 'closed', code: 1006 });
  world.wait();
  world.take({ fact: 'closed', code: 1006 });
  world.take({ fact: 'posted', answer: { results: [], sync: full(4, [widget('w', 1, { a: 1 })], layout(1, { w: { x: 1 } })) } });
  world.untilPosted();
  world.take({ fact: 'online' });
  world.comeBack({ seq: 9, full: false, widgets: [widget('w', 3, { a: 3 }), widget('v', 1, {})], removed: [], layout: layout(2, { w: { x: 2 } }) });
  world.take({ fact: 'posted', answer: { results: [], sync: full(7, [widget('w', 2, { a: 2 })], layout(1, { w: { x: 1 } })) } });
  const { seq, widgets } = world.machine.board;
  assert.deepEqual([seq, [...widgets.keys()], world.shown('w'), world.places], [9, ['w', 'v'], { a: 3 }, { w: { x: 2 } }]);
});

test('too many updates before the answer that they go after end the connection', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  world.take({ fact: 'opened' });
  let orders = [];
  for (let seq = 2; seq <= EARLY_MAX + 2; seq += 1) orders = world.hear('WIDGET_DELETE', { widgetId: 'w', version: seq, seq });
  assert.deepEqual([orders, world.machine.state], [['close'], 'waiting']);
});

/** A world in which somebody else has changed what was changed here. */
function conflicted() {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1, b: 1 })]));
  world.update('w', { a: 2 });
  world.hear('WIDGET_UPDATE', { widgetId: 'w', version: 2, changes: { a: 5 }, seq: 2 });
  world.hear('CONFLICT_DETECTED', { conflictId: 'c', widgetId: 'w', baseVersion: 1, current: widget('w', 2, { a: 5, b: 1 }), yours: { a: 2 }, fields: ['a'] }, 'op-1');
  return world;
}

test('a conflict shows theirs until it is decided, and each decision is told in its own way', () => {
  for (const [resolution, value, shown] of [
    ['mine', undefined, { a: 2, b: 1 }],
    ['theirs', undefined, { a: 5, b: 1 }],
    ['merged', { a: 7 }, { a: 7 }],
  ]) {
    const world = conflicted();
    assert.deepEqual([world.shown('w'), world.pending, [...world.machine.conflicts.keys()]], [{ a: 5, b: 1 }, [], ['c']]);
    const [sent] = world.take({ fact: 'resolve', id: 'r', conflictId: 'c', resolution, value });
    const expected = { conflictId: 'c', resolution, ...(value ? { value } : {}) };
    assert.deepEqual([sent.type, sent.payload, world.shown('w')], ['CONFLICT_RESOLVED', expected, shown]);
    const stored = resolution !== 'theirs';
    const [asked] = world.hear('ACK', stored ? { widgetId: 'w', version: 3, seq: 3 } : {}, 'r');
    assert.equal(world.machine.conflicts.size, 0);
    if (!stored) continue;
    world.hear('SYNC_RESPONSE', { seq: 3, full: false, widgets: [widget('w', 3, shown, 'ada')], removed: [], layout: null }, asked.id);
    assert.deepEqual([world.shown('w'), world.pending], [shown, []]);
  }
});

test('a decision that a further change overtook is asked for again, and one that came too late is done as a change', () => {
  const world = conflicted();
  world.take({ fact: 'resolve', id: 'r', conflictId: 'c', resolution: 'mine' });
  world.hear('CONFLICT_DETECTED', { conflictId: 'd', widgetId: 'w', baseVersion: 2, current: widget('w', 3, { a: 6, b: 1 }), yours: { a: 2 }, fields: ['a'] }, 'r');
  assert.deepEqual([...world.machine.conflicts.keys()], ['d']);
  world.take({ fact: 'resolve', id: 's', conflictId: 'd', resolution: 'merged', value: { a: 8 } });
  const [late] = world.hear('NACK', { error: { code: 'NOT_FOUND', message: 'gone', recoverable: false } }, 's');
  assert.deepEqual(late, { id: 's-late', type: 'WIDGET_UPDATE', payload: { widgetId: 'w', baseVersion: 3, changes: { a: 8, b: null } } });
});

test('two who move different widgets are not asked; who moves the same is', () => {
  const start = { a: { x: 0 }, b: { x: 1 } };
  for (const [theirs, isAsked] of [[{ a: { x: 0 }, b: { x: 9 } }, false], [{ a: { x: 4 }, b: { x: 1 } }, true]]) {
    const world = new World();
    world.open(full(1, [widget('a', 1, {}), widget('b', 1, {})], layout(1, start)));
    const [sent] = world.move({ a: { x: 7 } }, { a: { x: 0 } });
    assert.deepEqual(sent.payload, { baseVersion: 1, layout: { a: { x: 7 }, b: { x: 1 } } });
    const orders = world.hear('CONFLICT_DETECTED', { conflictId: 'c', widgetId: null, baseVersion: 1, current: layout(2, theirs), yours: {}, fields: [] }, 'op-1');
    assert.equal(world.told.some(({ event }) => event === 'conflict'), isAsked);
    if (isAsked) continue;
    assert.deepEqual(orders[0].payload, { conflictId: 'c', resolution: 'merged', value: { a: { x: 7 }, b: { x: 9 } } });
    assert.deepEqual(world.places, { a: { x: 7 }, b: { x: 9 } });
  }
});

test('a layout is written without the places of widgets that are gone, also when it is put together with another', () => {
  const world = new World();
  const placed = { a: { x: 0 }, gone: { x: 1 } };
  world.open(full(1, [widget('a', 1, {}), widget('b', 1, {})], layout(1, placed)));
  const [sent] = world.move({ b: { x: 7 } }, { b: null });
  assert.deepEqual(sent.payload.layout, { a: { x: 0 }, b: { x: 7 } });
  const [merged] = world.hear('CONFLICT_DETECTED', { conflictId: 'c', widgetId: null, baseVersion: 1, current: layout(2, { ...placed, a: { x: 4 } }), yours: {}, fields: [] }, 'op-1');
  assert.deepEqual(merged.payload.value, { a: { x: 4 }, b: { x: 7 } });
});

test('the place of a card goes with it, and nobody is asked who moved the card meanwhile', () => {
  const world = new World();
  world.open(full(1, [widget('a', 1, {}), widget('b', 1, {})], layout(1, { a: { x: 0 }, b: { x: 1 } })));
  const [deleted] = world.do({ kind: 'delete', widgetId: 'a' });
  const [laid] = world.move({ a: null }, { a: { x: 0 } });
  assert.deepEqual([deleted.type, laid.payload.layout], ['WIDGET_DELETE', { b: { x: 1 } }]);
  assert.deepEqual(world.places, { b: { x: 1 } });
  const theirs = layout(2, { a: { x: 9 }, b: { x: 1 } });
  const [merged] = world.hear('CONFLICT_DETECTED', { conflictId: 'c', widgetId: null, baseVersion: 1, current: theirs, yours: {}, fields: [] }, 'op-2');
  assert.deepEqual([merged.payload.value, world.told], [{ b: { x: 1 } }, []]);
});

test('without a socket requests take its place, with the same ids, and the socket takes over again', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  let orders = [];
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    orders = world.take({ fact: 'closed', code: 1006 });
    if (attempt < ATTEMPTS_MAX) assert.deepEqual(world.wait(), ['open']);
  }
  assert.deepEqual(orders, [{ type: 'SYNC', operations: [] }]);
  world.take({ fact: 'posted', answer: { results: [], sync: full(4, [widget('w', 1, { a: 1 })]) } });
  assert.equal(world.machine.state, 'polling');
  const [body] = world.update('w', { a: 2 });
  const frame = { id: 'op-1', type: 'WIDGET_UPDATE', payload: { widgetId: 'w', baseVersion: 1, changes: { a: 2 } } };
  assert.deepEqual(body, { type: 'SYNC', since: 4, operations: [frame] });
  world.take({ fact: 'post_failed', error: { code: 'CONNECTION_LOST', message: '', recoverable: true } });
  assert.equal(world.machine.state, 'waiting');
  assert.deepEqual(world.untilPosted().operations, [frame]);
  const sync = { seq: 5, full: false, widgets: [widget('w', 2, { a: 2 }, 'ada')], removed: [], layout: null };
  world.take({ fact: 'posted', answer: { results: [{ id: 'op-1', ok: true, version: 2, seq: 5 }], sync } });
  assert.deepEqual([world.pending, world.shown('w'), world.machine.state], [[], { a: 2 }, 'polling']);
  world.take({ fact: 'online' });
  world.comeBack({ seq: 5, full: false, widgets: [], removed: [], layout: null });
  assert.deepEqual([world.since, world.machine.state], [5, 'open']);
});

test('there is a request every few seconds as long as there is no socket', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    world.take({ fact: 'closed', code: 1006 });
    if (attempt < ATTEMPTS_MAX) world.wait();
  }
  world.take({ fact: 'posted', answer: { results: [], sync: full(4) } });
  const posted = world.now;
  world.untilPosted();
  assert.equal(world.now - posted, POLL_MS);
});

test('a request that fails is made again soon, however often the socket failed, and also when one opened meanwhile', () => {
  for (const opensMeanwhile of [false, true]) {
    const world = new World();
    world.take({ fact: 'connect' });
    world.take({ fact: 'closed', code: 1006 });
    world.wait();
    world.take({ fact: 'closed', code: 1006 });
    for (let attempt = 0; attempt < 8; attempt += 1) {
      world.take({ fact: 'posted', answer: { results: [], sync: full(4) } });
      world.untilPosted();
    }
    world.take({ fact: 'online' });
    if (opensMeanwhile) world.take({ fact: 'opened' });
    world.take({ fact: 'post_failed', error: { code: 'OVERLOADED', message: '', recoverable: true } });
    world.take({ fact: 'closed', code: 4100 });
    const failed = world.now;
    world.untilPosted();
    assert.equal(world.now - failed, 1_500);
  }
});

test('what is refused for the time being is sent again after a pause, and for good it is taken back and told', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1 })]));
  const [sent] = world.update('w', { a: 2 });
  const busy = { code: 'RATE_LIMITED', message: 'slow down', recoverable: true, details: { retryAfterMs: 3_000 } };
  assert.deepEqual(world.hear('NACK', { error: busy }, 'op-1'), []);
  assert.deepEqual([world.until, world.pending], [3_500, ['op-1']]);
  assert.deepEqual(world.wait(), [sent]);
  world.hear('NACK', { error: { code: 'PERMISSION_DENIED', message: 'you may only look', recoverable: false } }, 'op-1');
  assert.deepEqual([world.shown('w'), world.pending], [{ a: 1 }, []]);
  const [{ id, changes, refusal }] = world.machine.refusals.all;
  assert.deepEqual([id, changes, refusal.message], ['op-1', { a: 2 }, 'you may only look']);
});

test('nothing is given up while the store is away: the pauses grow, and nothing happens in them', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1 })]));
  const [sent] = world.update('w', { a: 2 });
  const pauses = [];
  for (let refusals = 0; refusals < 40; refusals += 1) {
    assert.deepEqual(world.hear('NACK', { error: { code: 'STORE_UNAVAILABLE', message: 'later', recoverable: true } }, 'op-1'), []);
    const refusedAt = world.now;
    let frames = [];
    for (let ticks = 0; !frames.includes(sent); ticks += 1) {
      assert.ok(ticks < 20, 'it turns round and round');
      frames = world.wait();
      if (frames.some(({ type }) => type === 'PING')) world.hear('PONG', {});
    }
    pauses.push(world.now - refusedAt);
  }
  assert.deepEqual([pauses.slice(0, 3), pauses.at(-1)], [[1_500, 2_000, 3_000], 16_000]);
  assert.deepEqual([world.pending, world.machine.refusals.all], [['op-1'], []]);
  world.hear('ACK', { widgetId: 'w', version: 2, seq: 2 }, 'op-1');
  assert.deepEqual([world.pending, world.shown('w')], [[], { a: 2 }]);
});

test('what is refused is kept with what it said, over a reload too, until somebody has looked at it', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, { a: 1 })]));
  for (const [id, a] of [['op-1', 2], ['op-2', 3]]) {
    world.update('w', { a });
    world.hear('NACK', { error: { code: 'PERMISSION_DENIED', message: `not ${a}`, recoverable: false } }, id);
  }
  const kept = JSON.parse(JSON.stringify(world.machine.refusals.all));
  const after = new World({ kept });
  assert.deepEqual(after.open(full(1, [widget('w', 1, { a: 1 })])), []);
  assert.deepEqual(after.machine.refusals.all.map(({ changes, refusal }) => [changes, refusal.message]), [[{ a: 2 }, 'not 2'], [{ a: 3 }, 'not 3']]);
  after.take({ fact: 'dismiss', id: 'op-1' });
  assert.deepEqual(after.machine.refusals.all.map(({ id }) => id), ['op-2']);
});

/** A world without a socket, in which a few widgets were had by a request. */
function polled(ids) {
  const world = new World();
  world.take({ fact: 'connect' });
  world.take({ fact: 'closed', code: 1006 });
  world.wait();
  world.take({ fact: 'closed', code: 1006 });
  world.take({ fact: 'posted', answer: { results: [], sync: full(4, ids.map((id) => widget(id, 1, {}))) } });
  return world;
}

/** Answers a request that was stored. @returns {any[]} what follows */
function answer(world, { operations }, seq) {
  const results = operations.map(({ id }, place) => ({ id, ok: true, version: 2, seq: seq + place }));
  return world.take({ fact: 'posted', answer: { results, sync: { seq: seq + operations.length - 1, full: false, widgets: [], removed: [], layout: null } } });
}

test('a request holds no more than its body may, and what does not fit goes with the next at once', () => {
  const ids = Array.from({ length: 8 }, (_, number) => `w${number}`);
  const world = polled(ids);
  const [first] = world.update('w0', { text: 'x' });
  for (const id of ids.slice(1)) world.update(id, { text: 'x'.repeat(200_000) });
  const bodies = [answer(world, first, 5)[0]];
  while (world.pending.length > bodies.at(-1).operations.length) bodies.push(answer(world, bodies.at(-1), 10 * bodies.length)[0] ?? world.wait()[0]);
  for (const body of bodies) assert.ok(JSON.stringify(body).length <= POST_BYTES_MAX + 1_000, `${JSON.stringify(body).length}`);
  assert.deepEqual(bodies.map(({ operations }) => operations.map(({ id }) => id)), [['op-2', 'op-3', 'op-4', 'op-5'], ['op-6', 'op-7', 'op-8']]);
});

test('of a request that is refused as a whole each is sent alone, and the one that it was refused for is taken back', () => {
  const world = polled(['a', 'b', 'c']);
  const [first] = world.update('a', { text: 1 });
  world.update('a', { text: 2 });
  world.update('b', { deep: 'too deep' });
  world.update('c', { text: 3 });
  const [all] = answer(world, first, 5);
  assert.deepEqual(all.operations.map(({ id }) => id), ['op-2', 'op-3', 'op-4']);
  const refusal = { code: 'PROTOCOL_ERROR', message: 'nested deeper than 32', recoverable: false };
  const [alone] = world.take({ fact: 'post_failed', error: refusal });
  assert.deepEqual(alone.operations.map(({ id }) => id), ['op-2']);
  const [guilty] = answer(world, alone, 6);
  assert.deepEqual(guilty.operations.map(({ id }) => id), ['op-3']);
  const [last] = world.take({ fact: 'post_failed', error: refusal });
  assert.deepEqual(last.operations.map(({ id }) => id), ['op-4']);
  answer(world, last, 7);
  assert.deepEqual([world.pending, world.machine.state], [[], 'polling']);
  assert.deepEqual(world.machine.refusals.all.map(({ changes }) => changes), [{ deep: 'too deep' }]);
});

test('what no message holds is taken back at once, and what was done behind it goes', () => {
  const world = new World();
  world.open(full(1, [widget('w', 1, {}), widget('v', 1, {})]));
  assert.deepEqual(world.update('w', { text: 'x'.repeat(FRAME_BYTES_MAX) }), []);
  assert.deepEqual([world.machine.refusals.all.map(({ id }) => id), world.pending], [['op-1'], []]);
  assert.equal(world.update('w', { text: 'x' })[0].id, 'op-2');
});

test('many that waited go out a few at a time, and above the limit nothing more is taken', () => {
  const world = new World();
  world.take({ fact: 'connect' });
  for (let number = 0; number < OPERATIONS_MAX; number += 1) world.update(`w${number}`, { a: 1 });
  world.update('one more', { a: 1 });
  assert.deepEqual([world.pending.length, world.machine.refusals.all.map(({ widgetId }) => widgetId)], [OPERATIONS_MAX, ['one more']]);
  assert.equal(world.comeBack(full(0)).length, SENT_MAX);
  assert.deepEqual(world.hear('ACK', { widgetId: 'w0', version: 1, seq: 1 }, 'op-1').map(({ id }) => id), [`op-${SENT_MAX + 1}`]);
});

test('what was done before a reload is sent under the id that it had', () => {
  const before = new World();
  before.open(full(1, [widget('w', 1, { a: 1 })]));
  const [sent] = before.update('w', { a: 2 });
  const kept = JSON.parse(JSON.stringify(before.machine.operations.pending));
  const after = new World({ kept });
  assert.deepEqual(after.open(full(1, [widget('w', 1, { a: 1 })])), [sent]);
  assert.deepEqual(after.shown('w'), { a: 2 });
});
