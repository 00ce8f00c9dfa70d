// What is said about a draft, in Node alone: the list of it, what is heard while that is fetched, and what is ours.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Threads } from '../../web/drafts/threads.js';

const anchor = { from: 'AA', to: 'AQ' };
const comment = (seq, threadId = 't', more = {}) => ({ threadId, commentId: `c${seq}`, userId: 'ben', name: 'Ben', text: `text ${seq}`, seq, at: 'T', ...more });
const stored = (threadId, resolved, ...comments) => ({ threadId, resolved, comments });
const texts = (threads) => threads.all.map(({ comments }) => comments.map(({ text }) => text));
const own = (id, more = {}) => ({ id, text: 'mine', userId: 'ada', name: 'Ada', ...more });

test('what is heard while the list is fetched stays, in its order, and nothing is there twice', () => {
  const threads = new Threads();
  const asked = threads.asked();
  threads.added(comment(4, 'u'));
  threads.added(comment(3));
  threads.load([stored('t', false, comment(1, 't', { anchor }), comment(2), comment(3))], asked);
  assert.deepEqual(texts(threads), [['text 1', 'text 2', 'text 3'], ['text 4']]);
  assert.deepEqual(threads.all[0].anchor, anchor, 'an answer that came first does not lose the place of its thread');
  threads.load([stored('t', false, comment(1))], threads.asked());
  assert.deepEqual(texts(threads), [['text 1', 'text 2', 'text 3'], ['text 4']]);
});

test('an end that is heard while the list is fetched counts, and an answer that a later question overtook does not', () => {
  const threads = new Threads();
  const first = threads.asked();
  threads.added(comment(1));
  threads.resolved({ threadId: 't', resolved: true });
  threads.load([stored('t', false, comment(1))], first);
  assert.equal(threads.all[0].resolved, true);
  const second = threads.asked();
  threads.load([stored('t', false, comment(1))], second);
  assert.equal(threads.all[0].resolved, false, 'it was opened again while nothing was heard');
  threads.load([stored('t', true, comment(1))], first);
  assert.equal(threads.all[0].resolved, false);
});

test('a comment is unsaved until it is heard of, live or in the list', () => {
  const threads = new Threads();
  threads.post(own('c1'));
  threads.post(own('c2', { threadId: 't' }));
  assert.deepEqual([threads.isUnsaved, threads.waiting.comments.map(({ id }) => id)], [true, ['c1', 'c2']]);
  threads.added(comment(2));
  threads.load([stored('t', false, comment(1))], threads.asked());
  assert.deepEqual([threads.isUnsaved, threads.unsent], [false, []]);
});

test('an end whose answer was lost is known from the list', () => {
  const threads = new Threads();
  threads.added(comment(1));
  threads.end({ id: 'e', threadId: 't', resolved: true });
  threads.load([stored('t', true, comment(1))], threads.asked());
  assert.deepEqual([threads.isUnsaved, threads.all[0].resolved], [false, true]);
});

test('an end waits until it is heard of, and not for what others say of the thread', () => {
  const threads = new Threads();
  threads.added(comment(1));
  threads.end({ id: 'e', threadId: 't', resolved: true });
  threads.resolved({ threadId: 't', resolved: false });
  assert.deepEqual([threads.isUnsaved, threads.waiting.endings.map(({ id }) => id)], [true, ['e']]);
  threads.resolved({ threadId: 't', resolved: true });
  assert.deepEqual([threads.isUnsaved, threads.all[0].resolved], [false, true]);
});

test('what was refused is not sent again by itself: it is tried once more, or given up', () => {
  const threads = new Threads();
  threads.added(comment(1));
  threads.post(own('mine'));
  threads.end({ id: 'e', threadId: 't', resolved: true });
  assert.equal(threads.refused(undefined, 'about something else'), false);
  for (const id of ['mine', 'e']) assert.equal(threads.refused(id, 'too much'), true);
  assert.deepEqual([threads.waiting, threads.isUnsaved, threads.isRefused], [{ comments: [], endings: [] }, true, true]);
  assert.deepEqual(['t', 'u'].map((threadId) => threads.isRefusedIn(threadId)), [true, false]);
  threads.again('mine');
  assert.deepEqual(threads.waiting.comments.map(({ id }) => id), ['mine']);
  threads.discard('mine');
  threads.discard('e');
  assert.deepEqual([threads.isUnsaved, threads.isRefused, threads.unsent, threads.endings.size], [false, false, [], 0]);
});
