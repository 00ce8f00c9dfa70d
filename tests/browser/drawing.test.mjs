// What the pages of drafts and dashboards work out without looking at a page, in Node alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLUMNS, arrange, difference, freePlace, moved, rowsOf } from '../../web/dashboards/grid.js';
import { places } from '../../web/dashboards/board.js';
import { difference as textDifference } from '../../web/drafts/difference.js';
import { Threads } from '../../web/drafts/threads.js';

const at = (x, y, w, h) => ({ x, y, w, h });
const listed = (map) => Object.fromEntries([...map].map(([id, { x, y, w, h }]) => [id, [x, y, w, h]]));

test('widgets without a place get the first that is free, and what is stored badly is none', () => {
  const stored = { a: at(0, 0, 8, 2), b: { x: 'left' }, c: at(20, -3, 99, 0.2) };
  assert.deepEqual(listed(arrange(['a', 'b', 'c', 'd'], stored)), {
    a: [0, 0, 8, 2],
    b: [0, 3, 4, 3],
    c: [0, 2, 12, 1],
    d: [4, 3, 4, 3],
  });
});

test('two that were stored upon each other lie one below the other, in the same way whoever looks', () => {
  const stored = { a: at(0, 0, 4, 2), b: at(2, 1, 4, 2), c: at(3, 1, 2, 1) };
  const expected = { a: [0, 0, 4, 2], b: [2, 2, 4, 2], c: [3, 4, 2, 1] };
  assert.deepEqual(listed(arrange(['a', 'b', 'c'], stored)), expected);
  assert.deepEqual(listed(arrange(['c', 'b', 'a'], stored)), expected);
});

test('who is moved gets its place, who is in its way moves down, and nobody else moves', () => {
  const before = arrange(['a', 'b', 'c'], { a: at(0, 0, 4, 2), b: at(4, 0, 4, 2), c: at(8, 0, 4, 2) });
  const after = moved(before, 'b', at(-2, 1, 4, 2));
  assert.deepEqual(listed(after), { b: [0, 1, 4, 2], a: [0, 3, 4, 2], c: [8, 0, 4, 2] });
  const stored = Object.fromEntries(before);
  assert.deepEqual(difference(before, after, stored), {
    moves: { b: at(0, 1, 4, 2), a: at(0, 3, 4, 2) },
    before: { b: at(4, 0, 4, 2), a: at(0, 0, 4, 2) },
  });
  assert.equal(rowsOf(after), 5);
  assert.deepEqual(freePlace(after, { w: COLUMNS, h: 1 }), at(0, 5, COLUMNS, 1));
});

test('a layout that another client wrote as a list is read as well, and anything else is no layout', () => {
  const list = [{ i: 'a', ...at(0, 0, 4, 2) }, { id: 'b', ...at(4, 0, 4, 2) }, { nobody: true }, null];
  assert.deepEqual(places({ value: list }), { a: at(0, 0, 4, 2), b: at(4, 0, 4, 2) });
  for (const value of [null, 'grid', 7]) assert.deepEqual(places({ value }), {});
  assert.deepEqual(places(null), {});
});

const comment = (threadId, commentId, seq) => ({ threadId, commentId, userId: 'ben', name: 'Ben', text: commentId, seq, at: 'T' });

test('a comment is there once however often it is heard, and an own one is under way until then', () => {
  const threads = new Threads();
  threads.post({ id: 'c1', text: 'c1', userId: 'ada', name: 'Ada', quote: 'x'.repeat(1_000) });
  assert.deepEqual([threads.unsent.length, threads.unsent[0].quote.length], [1, 160]);
  threads.added(comment('c1', 'c1', 4));
  threads.added(comment('c1', 'c1', 4));
  threads.added(comment('c1', 'c3', 9));
  threads.added(comment('c1', 'c2', 6));
  assert.deepEqual([threads.unsent, threads.all.map(({ comments }) => comments.map(({ id }) => id))], [[], [['c1', 'c2', 'c3']]]);
});

test('a resolved thread is out of the open ones until it is opened again', () => {
  const threads = new Threads();
  threads.load([{ threadId: 'a', resolved: true, comments: [comment('a', 'a', 1)] }, { threadId: 'b', resolved: false, comments: [comment('b', 'b', 2)] }], threads.asked());
  assert.deepEqual(threads.open.map(({ threadId }) => threadId), ['b']);
  threads.resolved({ threadId: 'a', resolved: false });
  threads.resolved({ threadId: 'b', resolved: true });
  threads.resolved({ threadId: 'unknown', resolved: true });
  assert.deepEqual(threads.open.map(({ threadId }) => threadId), ['a']);
});

test('two texts differ in the words that were added and taken away, and together they are both again', () => {
  const brief = (before, after) => textDifference(before, after).map(({ kind, text }) => `${{ same: '', added: '+', removed: '-' }[kind]}[${text}]`).join('');
  assert.equal(brief('We meet on Monday.', 'We meet on Tuesday, then.'), '[We meet on ]-[Monday.]+[Tuesday, then.]');
  assert.equal(brief('', 'new'), '+[new]');
  assert.equal(brief('same', 'same'), '[same]');
  assert.equal(brief('a b c d', 'a c x d'), '[a ]-[b ][c]+[ x][ d]');
  const long = (word) => Array.from({ length: 3_000 }, (_, index) => `${word}${index}`).join(' ');
  for (const [before, after] of [['a  b\n c', 'c\n b  a'], [long('x'), long('y')]]) {
    const parts = textDifference(before, after);
    const without = (kind) => parts.filter((part) => part.kind !== kind).map(({ text }) => text).join('');
    assert.deepEqual([without('added'), without('removed')], [before, after]);
  }
});
