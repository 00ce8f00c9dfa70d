// A draft's past over REST: who changed it when, what it was, bringing that back, and what was said about it.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as Y from 'yjs';
import {
  HocuspocusEditor,
  JsonEditor,
  YWebsocketEditor,
  about,
  draft,
  eventually,
  kept,
  lastSeq,
  passes,
  version,
} from './drafts.mjs';
import { Random, content, edit } from './edits.mjs';
import { Parlor, token } from './parlor.mjs';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const server = await Parlor.start({ after });
const json = (t, id, user, options) => new JsonEditor(t, server, id, user, options).ready();
const get = async (user, id, rest, init) => {
  const { status, body } = await about(server, user, id, rest, init);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
};
const restore = (user, id, seq, init) => about(server, user, id, 'restore', { method: 'POST', body: JSON.stringify({ seq }), ...init });

/** Writes, and waits until that is saved. */
async function writes(editor, change) {
  editor.doc.transact(() => change(editor.doc));
  await eventually('it is saved', () => editor.isSaved);
}

/** Waits until all say the same as the first. */
const agree = (editors) =>
  eventually('all agree', () => editors.every(({ doc }) => Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(editors[0].doc))));

describe('the history', () => {
  test('says who changed the draft when, in runs of one author', async (t) => {
    const id = await draft(server);
    const began = Date.now();
    const [ada, ben] = [await json(t, id, 'ada', { claims: { name: 'Ada' } }), await json(t, id, 'ben')];
    for (const word of ['one ', 'two ']) await writes(ada, () => ada.write(word));
    await ben.reads('one two ');
    await writes(ben, () => ben.write('three '));
    await ada.reads('one two three ');
    await writes(ada, () => ada.write('four'));
    const { runs, hasMore } = await get('ada', id, 'history');
    assert.equal(hasMore, false);
    assert.deepEqual(
      runs.map(({ userId, name, fromSeq, toSeq, updates }) => [userId, name, fromSeq, toSeq, updates]),
      [['ada', 'Ada', 1, 2, 2], ['ben', 'ben', 3, 3, 1], ['ada', 'Ada', 4, 4, 1]],
    );
    for (const { startedAt, endedAt, bytes } of runs) {
      assert.match(startedAt, TIME);
      assert.ok(Date.parse(startedAt) >= began - 1_000 && Date.parse(startedAt) <= Date.parse(endedAt));
      assert.ok(bytes > 0);
    }
  });

  test('comes in pages, from its end', async (t) => {
    const id = await draft(server);
    const [ada, ben] = [await json(t, id, 'ada'), await json(t, id, 'ben')];
    for (let time = 0; time < 3; time += 1) {
      await writes(ada, () => ada.write('a'));
      await writes(ben, () => ben.write('b'));
    }
    const pages = [];
    for (let before = ''; ; before = `&before=${pages.at(-1)[0].fromSeq}`) {
      const { runs, hasMore } = await get('ada', id, `history?limit=2${before}`);
      pages.push(runs);
      if (!hasMore) break;
    }
    assert.deepEqual(pages.map((runs) => runs.map(({ fromSeq }) => fromSeq)), [[5, 6], [3, 4], [1, 2]]);
    assert.deepEqual(pages.flat().map(({ userId }) => userId), ['ada', 'ben', 'ada', 'ben', 'ada', 'ben']);
  });

  test('says of a provider the same as of a client of /ws', async (t) => {
    const id = await draft(server);
    const yjs = await new YWebsocketEditor(t, server, id, 'yjs').ready();
    const ada = await json(t, id, 'ada');
    yjs.write('from yjs');
    await ada.reads('from yjs');
    const hocuspocus = await new HocuspocusEditor(t, server, id, 'hocus').ready();
    hocuspocus.write(', from hocus');
    await hocuspocus.ready();
    const { runs } = await get('ada', id, 'history');
    assert.deepEqual(runs.map(({ userId, updates }) => [userId, updates]), [['yjs', 1], ['hocus', 1]]);
  });
});

describe('a version', () => {
  test('is the draft as it was after that entry', async (t) => {
    const id = await draft(server);
    const ada = await json(t, id, 'ada');
    const words = ['one ', 'two ', 'three'];
    for (const word of words) await writes(ada, () => ada.write(word));
    for (let seq = 0; seq <= 3; seq += 1) {
      const doc = await version(server, 'ada', id, seq);
      assert.equal(doc.getText('text').toString(), words.slice(0, seq).join(''));
    }
    assert.equal(await lastSeq(server, 'ada', id), 3);
    for (const [seq, status] of [['4', 404], ['-1', 400], ['x', 400], ['1.5', 400], ['99999999999999999999', 400]]) {
      assert.equal((await about(server, 'ada', id, `versions/${seq}`)).status, status, seq);
    }
  });

  test('is there after the server was killed', async (t) => {
    const own = await Parlor.startSteady(t);
    const id = await draft(own);
    const ada = await new JsonEditor(t, own, id, 'ada').ready();
    const random = new Random(SEED);
    for (let time = 1; time <= 50; time += 1) await writes(ada, (doc) => edit(random, doc, `m${time}`));
    const before = await Promise.all([1, 25, 50].map((seq) => version(own, 'ada', id, seq)));
    await own.stop('SIGKILL');
    await own.restart();
    const now = await Promise.all([1, 25, 50].map((seq) => version(own, 'ada', id, seq)));
    assert.deepEqual(now.map(content), before.map(content), `SEED=${SEED}`);
    assert.deepEqual(now.map(({ store }) => store.clients.size), [1, 1, 1]);
  });
});

describe('restore', () => {
  test('brings back a Text, a Map, an Array and an XmlFragment, for all who edit them', async (t) => {
    const id = await draft(server);
    const ada = await json(t, id, 'ada');
    const others = [await new YWebsocketEditor(t, server, id, 'yjs').ready(), await new HocuspocusEditor(t, server, id, 'hocus').ready()];
    await writes(ada, (doc) => {
      doc.getText('text').insert(0, 'Dear Sir 😀', { bold: true });
      doc.getText('text').insertEmbed(4, { image: 'x.png' });
      doc.getMap('map').set('tone', 'warm');
      doc.getMap('map').set('tags', Y.Array.from(['a', { b: [null, 1.5] }]));
      doc.getArray('array').insert(0, [1, new Y.Text('nested'), new Uint8Array([1, 2, 255])]);
      const paragraph = new Y.XmlElement('p');
      paragraph.setAttribute('class', 'first');
      paragraph.insert(0, [new Y.XmlText('Hello'), new Y.XmlElement('br')]);
      doc.getXmlFragment('xml').insert(0, [paragraph]);
    });
    const then = content(ada.doc);
    const wanted = await lastSeq(server, 'ada', id);
    await writes(ada, (doc) => {
      doc.getText('text').delete(0, 5);
      doc.getText('text').format(0, 3, { bold: null, italic: true });
      doc.getMap('map').delete('tone');
      doc.getMap('map').get('tags').delete(0, 1);
      doc.getMap('map').set('new', new Y.Map([['x', 1]]));
      doc.getArray('array').delete(0, 2);
      doc.getArray('array').push(['later']);
      doc.getXmlFragment('xml').get(0).setAttribute('class', 'second');
      doc.getXmlFragment('xml').get(0).get(0).insert(0, 'Not ');
      doc.getXmlFragment('xml').insert(1, [new Y.XmlElement('h1')]);
    });
    assert.notDeepEqual(content(ada.doc), then);
    const { status, body } = await restore('ben', id, wanted);
    assert.deepEqual([status, Number.isSafeInteger(body.seq), body.seq > wanted], [200, true, true]);
    await eventually('ada has it back', () => ada.doc.getMap('map').get('tone') === 'warm');
    await agree([ada, ...others]);
    for (const { doc } of [ada, ...others, { doc: await kept(server, 'ada', id) }]) assert.deepEqual(content(doc), then);
    const { runs } = await get('ada', id, 'history');
    assert.deepEqual([runs.at(-1).userId, runs.at(-1).toSeq], ['ben', body.seq]);
    // It is an update like another: everybody goes on from there.
    for (const { doc } of others) doc.getMap('map').set('after', 'it');
    await eventually('ada hears more', () => ada.doc.getMap('map').get('after') === 'it');
    await agree([ada, ...others]);
  });

  test('brings back what there was, whatever that was', async (t) => {
    const id = await draft(server);
    const ada = await json(t, id, 'ada');
    const random = new Random(SEED);
    for (let time = 1; time <= 60; time += 1) await writes(ada, (doc) => edit(random, doc, `m${time}`));
    for (const seq of [40, 20, 1, 0, 60]) {
      const { status, body } = await restore('ada', id, seq);
      assert.equal(status, 200, `SEED=${SEED} ${JSON.stringify(body)}`);
      const wanted = content(await version(server, 'ada', id, seq));
      assert.deepEqual(content(await version(server, 'ada', id, body.seq)), wanted, `version ${seq}, SEED=${SEED}`);
      await eventually(`version ${seq} is back, SEED=${SEED}`, () => isDeepStrictEqual(content(ada.doc), wanted));
      assert.deepEqual(content(await kept(server, 'ada', id)), wanted);
    }
    assert.equal((await restore('ada', id, 60)).status, 200, 'there is nothing to do any more');
  });

  test('goes on while others edit: all end with the same', async (t) => {
    const id = await draft(server);
    const editors = [
      await json(t, id, 'ada'),
      await new YWebsocketEditor(t, server, id, 'ben').ready(),
      await new HocuspocusEditor(t, server, id, 'cyd').ready(),
    ];
    let going = true;
    const editing = editors.map(async ({ doc }, at) => {
      const random = new Random(SEED + at);
      for (let edits = 1; going; edits += 1) {
        edit(random, doc, `${at}.${edits}`);
        await passes(random.below(40));
      }
    });
    await eventually('something is there', () => editors.every(({ doc }) => doc.getMap('marks').size > 40));
    for (let time = 0; time < 5; time += 1) {
      const wanted = Math.floor((await lastSeq(server, 'ada', id)) / 2);
      const { status, body } = await restore('ada', id, wanted);
      assert.equal(status, 200, JSON.stringify(body));
      const [then, restored] = [await version(server, 'ada', id, wanted), await version(server, 'ada', id, body.seq)];
      assert.deepEqual(content(restored), content(then), `version ${wanted} as ${body.seq}, SEED=${SEED}`);
    }
    going = false;
    await Promise.all(editing);
    await agree(editors);
    for (const { doc } of [...editors, { doc: await kept(server, 'ada', id) }]) {
      assert.deepEqual(content(doc), content(editors[0].doc), `SEED=${SEED}`);
    }
  });

  test('is refused for what is not there, and for a root of which nobody can say what it is', async (t) => {
    const id = await draft(server, { vic: 'viewer' });
    const [ada, ben] = [await json(t, id, 'ada'), await json(t, id, 'ben')];
    await writes(ada, (doc) => doc.getText('both').insert(0, 'text'));
    await writes(ben, (doc) => doc.getArray('both').insert(0, [1, 2]));
    const { status, body } = await restore('ada', id, 1);
    assert.deepEqual([status, body.error?.code], [409, 'CONFLICT']);
    assert.equal((await restore('ada', id, 77)).status, 404);
    assert.equal((await restore('vic', id, 1)).status, 403);
    for (const bad of ['', '{}', '{"seq":"1"}', '{"seq":-1}', '[1]']) {
      assert.equal((await restore('ada', id, 0, { body: bad })).status, 400, bad);
    }
    assert.equal(await lastSeq(server, 'ada', id), 2);
  });
});

describe('comments', () => {
  test('are listed with their threads, and outlive the server', async (t) => {
    const own = await Parlor.startSteady(t);
    const id = await draft(own);
    const ada = await new JsonEditor(t, own, id, 'ada').ready();
    const says = async (data) => {
      ada.say({ type: 'comment-add', data });
      return (await ada.diary.first('comment-added', ({ data: { commentId } }) => commentId === data.id)).data;
    };
    const first = await says({ id: 'c1', text: 'Which one?', anchor: { from: 'AAA=', to: 'AAE=' } });
    await says({ id: 'c2', threadId: first.threadId, text: 'This one.' });
    await says({ id: 'c3', text: 'Another' });
    ada.say({ type: 'comment-resolve', data: { threadId: first.threadId, resolved: true } });
    await ada.diary.first('comment-resolved');
    await own.stop('SIGKILL');
    await own.restart();
    const { status, body } = await about(own, 'ben', id, 'comments');
    assert.equal(status, 200);
    const shown = body.map(({ resolved, comments }) => [resolved, comments.map(({ commentId, userId, text }) => [commentId, userId, text])]);
    assert.deepEqual(shown, [
      [true, [['c1', 'ada', 'Which one?'], ['c2', 'ada', 'This one.']]],
      [false, [['c3', 'ada', 'Another']]],
    ]);
    const { anchor, seq, at } = body[0].comments[0];
    assert.deepEqual([anchor, seq, at], [first.anchor, first.seq, first.at]);
    // The same id once more is the same comment.
    await eventually('she is back', () => ada.synced);
    const before = ada.diary.all('comment-added').length;
    ada.say({ type: 'comment-add', data: { id: 'c3', text: 'Another' } });
    await ada.diary.until(() => ada.diary.all('comment-added').length > before, 'is answered again');
    ada.say({ type: 'comment-add', data: { id: 'c3', text: 'Something else' } });
    assert.equal((await ada.diary.first('error')).code, 'CONFLICT');
    assert.deepEqual((await about(own, 'ben', id, 'comments')).body.flatMap(({ comments }) => comments).length, 3);
  });
});

describe('the firm', () => {
  test('keeps all of it to itself, and to its members', async (t) => {
    const id = await draft(server, { vic: 'viewer', guest: 'editor' });
    const ada = await json(t, id, 'ada');
    await writes(ada, () => ada.write('secret'));
    const calls = [
      ['history', {}],
      ['versions/1', {}],
      ['comments', {}],
      ['restore', { method: 'POST', body: '{"seq":0}' }],
    ];
    const claims = { firmId: 'other' };
    for (const [rest, init] of calls) {
      const foreign = await about(server, 'eve', id, rest, { ...init, claims });
      const absent = await about(server, 'ada', 'nowhere', rest, init);
      assert.deepEqual([foreign.status, foreign.body], [404, absent.body], rest);
      const nobody = await fetch(`${server.url}/api/drafts/${id}/${rest}`, init);
      assert.equal(nobody.status, 401, rest);
      const viewer = await about(server, 'vic', id, rest, init);
      assert.equal(viewer.status, rest === 'restore' ? 403 : 200, rest);
    }
    assert.equal((await about(server, 'guest', id, 'restore', { ...calls[3][1], claims })).status, 200);
    await ada.reads('');
    const list = async (user, besides) => {
      const headers = { authorization: `Bearer ${token(user, besides)}` };
      const rooms = await (await fetch(`${server.url}/api/rooms?kind=draft`, { headers })).json();
      return rooms.some((room) => room.id === id);
    };
    assert.deepEqual([await list('ada'), await list('eve', claims)], [true, false]);
  });
});
