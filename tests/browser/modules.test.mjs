// The console's modules that never look at a page, in Node alone.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

/** Loads a module that imports nothing, as the browser would: its name says nothing of modules to Node. */
async function load(name) {
  const source = await readFile(new URL(`../../web/${name}`, import.meta.url), 'utf8');
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
}

const { parse } = await load('markdown.js');
const { Timeline } = await load('timeline.js');
const { Answer } = await load('answer.js');

/** The tree as short text: `p(a em(b))`. */
function brief(trees) {
  const one = (tree) => (typeof tree === 'string' ? tree : `${tree.tag}${tree.href ? `<${tree.href}>` : ''}(${brief(tree.children)})`);
  return trees.map(one).join('');
}

test('Markdown becomes headings, paragraphs, lists, quotes, code and marks', () => {
  for (const [text, tree] of [
    ['# One\ntwo', 'h1(One)p(two)'],
    ['## Two ##\n\n---\n', 'h2(Two)hr()'],
    ['a\nb\n\nc', 'p(a\nb)p(c)'],
    ['a  \nb\\\nc', 'p(abr()bbr()c)'],
    ['* a\n* b **c**', 'ul(li(a)li(b strong(c)))'],
    ['1. a\n2. b\n   - c', 'ol(li(a)li(bul(li(c))))'],
    ['> a\n> > b', 'blockquote(p(a)blockquote(p(b)))'],
    ['```\n# no *heading*\n```\nx', 'pre(code(# no *heading*))p(x)'],
    ['*a* _b_ __c__ `d*`', 'p(em(a) em(b) strong(c) code(d*))'],
    ['snake_case_name 2 * 3 * 4', 'p(snake_case_name 2 * 3 * 4)'],
    ['\\*a\\* \\# &lt;b&gt; &amp;', 'p(*a* # <b> &)'],
    ['[a](https://example.org/x)', 'p(a<https://example.org/x>(a))'],
  ]) {
    assert.equal(brief(parse(text)), tree, text);
  }
});

test('HTML stays text, and a link that is no address of the web or of mail is none', () => {
  for (const text of ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '[a](javascript:alert(1))', '[a](data:text/html,x)']) {
    assert.equal(brief(parse(text)), `p(${text})`);
  }
});

test('a text of 200 kB that opens every mark and closes none is read in a few seconds', () => {
  for (const piece of ['*a ', '**a ', '_a ', '`', '[a', '[a](', '> ', '* ', '&#']) {
    const begun = performance.now();
    parse(piece.repeat(Math.floor(200_000 / piece.length)));
    assert.ok(performance.now() - begun < 5_000, `${piece}: ${performance.now() - begun} ms`);
  }
});

const message = (seq, senderId = 'ben', id = `m${seq}`) => ({ seq, id, senderId, type: 'chat', content: `text ${seq}`, timestamp: '2026-01-01T00:00:00.000Z' });
const joined = (seqs, more = {}) => ({ messages: seqs.map((seq) => message(seq)), lastSeq: seqs.at(-1) ?? 0, hasMore: false, ...more });
const seqs = (timeline) => timeline.entries().filter(({ kind }) => kind === 'message').map((entry) => entry.message.seq);

test('a message heard twice is shown once, and one after a gap is left out', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([4, 5]));
  assert.equal(timeline.hear(message(5)), 'known');
  assert.equal(timeline.hear(message(6)), 'new');
  assert.equal(timeline.hear(message(8)), 'gap');
  assert.deepEqual([seqs(timeline), timeline.heard], [[4, 5, 6], 6]);
  timeline.join(joined([7, 8]));
  assert.deepEqual([seqs(timeline), timeline.heard], [[4, 5, 6, 7, 8], 8]);
});

test('after a reset the newest page stands alone, and what is not sent stays', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([1, 2]));
  timeline.post('mine', 'hello');
  timeline.join(joined([90, 91], { reset: true, hasMore: true }));
  assert.deepEqual([seqs(timeline), timeline.heard, timeline.hasMore, timeline.unsent.length], [[90, 91], 91, true, 1]);
});

test('a page that leaves a gap behind what was heard stands alone, too', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([1, 2]));
  timeline.join(joined([5, 6]));
  assert.deepEqual([seqs(timeline), timeline.heard], [[5, 6], 6]);
});

test('an own message that was stored without an answer is known again by its id', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([1]));
  timeline.post('mine', 'hello');
  timeline.join({ messages: [message(2), message(3, 'ada', 'mine')], lastSeq: 3, hasMore: false });
  assert.deepEqual([seqs(timeline), timeline.unsent], [[1, 2, 3], []]);
  assert.equal(timeline.confirm('mine', { seq: 3, timestamp: '', deliveryStatus: 'delivered' }, 'Ada'), 'known');
  assert.deepEqual(seqs(timeline), [1, 2, 3]);
});

test('the same id of another sender does not confirm an own message', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([1]));
  timeline.post('m2', 'hello');
  timeline.hear(message(2, 'ben', 'm2'));
  assert.equal(timeline.unsent.length, 1);
});

test('an answer makes an own message a stored one, in its place', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([1]));
  timeline.post('mine', 'hello');
  timeline.note('Ben is here');
  assert.equal(timeline.confirm('mine', { seq: 2, timestamp: 'T', deliveryStatus: 'delivered' }, 'Ada'), 'new');
  assert.deepEqual(timeline.entries().map(({ key }) => key), ['message 1', 'notice 1', 'message 2']);
});

test('older messages go before the others, and above the limit the oldest are let go', () => {
  const timeline = new Timeline('ada');
  timeline.join(joined([5, 6], { hasMore: true }));
  timeline.prepend({ messages: [3, 4, 5].map((seq) => message(seq)), hasMore: false });
  assert.deepEqual([seqs(timeline), timeline.hasMore, timeline.oldest], [[3, 4, 5, 6], false, 3]);
  for (let seq = 7; seq <= 2_003; seq += 1) timeline.hear(message(seq));
  timeline.trim();
  assert.deepEqual([seqs(timeline).length, timeline.oldest, timeline.hasMore], [2_000, 4, true]);
});

function storage() {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text), removeItem: (key) => kept.delete(key) };
}

test('an answer under way survives a reload with its id, and is settled by the history', () => {
  const place = storage();
  const answer = new Answer(place, 'ada', 'letter');
  answer.send('hello', 3, 's1');
  const again = new Answer(place, 'ada', 'letter');
  assert.deepEqual(again.sent, answer.sent);
  again.resume('s1', [{ turn: 2, role: 'user' }, { turn: 3, role: 'assistant' }]);
  assert.equal(again.sent.content, 'hello');
  again.resume('s1', [{ turn: 3, role: 'assistant' }, { turn: 4, role: 'user' }]);
  assert.deepEqual([again.sent, place.kept.size], [null, 0]);
});

test('an answer that was refused is a draft again; the same words keep their id, others get another', () => {
  const answer = new Answer(storage(), 'ada', 'letter');
  answer.send('hello', 1, 's1');
  const { id } = answer.sent;
  answer.refused();
  assert.deepEqual([answer.draft, answer.sent], ['hello', null]);
  answer.send('hello', 1, 's1');
  assert.equal(answer.sent.id, id);
  answer.refused();
  answer.send('other', 1, 's1');
  assert.notEqual(answer.sent.id, id);
});

test('an answer for a session that is gone is a draft again, and nobody else sees it', () => {
  const place = storage();
  const answer = new Answer(place, 'ada', 'letter');
  answer.send('hello', 1, 's1');
  answer.resume('s2', []);
  assert.deepEqual([answer.draft, answer.sent], ['hello', null]);
  assert.equal(new Answer(place, 'ben', 'letter').draft, '');
});
