// What a document of `yjs` can hold, written by one, stored, and read by another after the server was killed; and the
// little that a draft does not keep.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { HocuspocusEditor, JsonEditor, RawSocket, YWebsocketEditor, draft, eventually, kept } from './drafts.mjs';
import { Parlor, token } from './parlor.mjs';

/** How large a draft may be, and in what parts it is filled here. */
const DRAFT_BYTES_MAX = 8 << 20;
const PART_BYTES = 1 << 20;

const VALUES = {
  nothing: null,
  undefined: undefined,
  yes: true,
  no: false,
  zero: 0,
  small: -64,
  large: 2 ** 31 - 1,
  larger: 2 ** 31,
  largest: Number.MAX_SAFE_INTEGER,
  least: Number.MIN_SAFE_INTEGER,
  beyond: 2 ** 60,
  half: 0.5,
  third: 1 / 3,
  tiny: Number.MIN_VALUE,
  huge: Number.MAX_VALUE,
  infinite: -Infinity,
  none: NaN,
  text: 'žluťoučký 漢字 👩‍👩‍👧 \u0000 "\\',
  empty: '',
  octets: new Uint8Array([0, 127, 128, 255]),
  list: [[], [null, [1, ['x']]], {}],
  object: { a: { b: [{ c: null }] }, '': 1, __proto: 'x' },
};

/** Everything that is kept. */
function write(doc) {
  doc.transact(() => {
    const text = doc.getText('text');
    text.insert(0, 'Hello 😀 world', { bold: true });
    text.insertEmbed(5, { image: 'x.png', sizes: [1, 2] });
    text.format(0, 3, { bold: null, comment: { id: 'c1', open: true } });
    text.insert(0, 'plain', {});
    text.delete(2, 2);
    text.setAttribute('lang', 'en');
    text.insertEmbed(0, new Y.Map([['in', 'text']]));

    const map = doc.getMap('map');
    for (const [key, value] of Object.entries(VALUES)) map.set(key, value);
    map.set('over', 1);
    map.set('over', 2);
    map.set('gone', 1);
    map.delete('gone');
    map.set('types', new Y.Map([['text', new Y.Text('x')], ['array', Y.Array.from([new Y.Map()])]]));
    map.set('xml', new Y.XmlElement('p'));

    const array = doc.getArray('array');
    array.insert(0, Object.values(VALUES).filter((value) => value !== undefined));
    array.insert(3, [new Y.Array(), new Y.Text('nested'), new Y.XmlFragment()]);
    array.delete(1, 2);

    const xml = doc.getXmlFragment('xml');
    const paragraph = new Y.XmlElement('p');
    xml.insert(0, [paragraph, new Y.XmlText('after')]);
    paragraph.setAttribute('class', 'wide');
    paragraph.setAttribute('level', 3);
    paragraph.insert(0, [new Y.XmlText('in'), new Y.XmlElement('br')]);
    paragraph.get(0).format(0, 1, { em: {} });
  });
}

/** The same as plain data, with each type by its name. */
function shown(value) {
  if (value instanceof Y.Text) {
    const delta = value.toDelta().map(({ insert, attributes }) => ({ insert: shown(insert), attributes }));
    return { type: value.constructor.name, delta, attributes: value.getAttributes() };
  }
  if (value instanceof Y.Map) return { map: Array.from(value.entries(), ([key, inner]) => [key, shown(inner)]).sort() };
  if (value instanceof Y.XmlElement) {
    return { element: value.nodeName, attributes: value.getAttributes(), children: value.toArray().map(shown) };
  }
  if (value instanceof Y.AbstractType) return { type: value.constructor.name, list: value.toArray().map(shown) };
  return value;
}

const whole = (doc) => [doc.getText('text'), doc.getMap('map'), doc.getArray('array'), doc.getXmlFragment('xml')].map(shown);

test('what a document holds is the same for others, and outlives the server', async (t) => {
  const server = await Parlor.startSteady(t);
  const id = await draft(server);
  const ada = await new HocuspocusEditor(t, server, id, 'ada').ready();
  const ben = await new YWebsocketEditor(t, server, id, 'ben').ready();
  write(ada.doc);
  const wanted = whole(ada.doc);
  await ada.ready();
  await eventually('ben has it', () => ben.doc.getXmlFragment('xml').length === 2);
  assert.deepEqual(whole(ben.doc), wanted);
  ada.leave();
  ben.leave();
  await server.stop('SIGKILL');
  await server.restart();
  assert.deepEqual(whole(await kept(server, 'cyd', id)), wanted);
  const cyd = await new YWebsocketEditor(t, server, id, 'cyd').ready();
  assert.deepEqual(whole(cyd.doc), wanted);
});

test('what is not kept is refused by name, and the connection stays', async (t) => {
  const server = await Parlor.start(t);
  const id = await draft(server);
  const query = new URLSearchParams({ token: token('ada'), draftId: id });
  const ada = new RawSocket(t, server, `/ws?${query}`);
  await ada.hears(({ type }) => type === 'yjs-state-request');
  const refused = {
    'a subdocument': (doc) => doc.getMap('map').set('inner', new Y.Doc()),
    'a hook of XML': (doc) => doc.getXmlFragment('xml').insert(0, [new Y.XmlHook('hook')]),
    'a big integer': (doc) => doc.getMap('map').set('big', 2n ** 62n),
  };
  for (const [what, change] of Object.entries(refused)) {
    ada.heard.length = 0;
    const doc = new Y.Doc();
    change(doc);
    ada.say({ type: 'yjs-update', data: Array.from(Y.encodeStateAsUpdate(doc)) });
    const { code, error } = await ada.hears(({ type }) => type === 'error');
    assert.equal(code, 'CLIENT_ERROR', what);
    assert.match(error, /which is not kept$/, what);
    doc.destroy();
    const good = new Y.Doc();
    good.getText('text').insert(0, 'x');
    ada.say({ type: 'yjs-update', data: Array.from(Y.encodeStateAsUpdate(good)), id: what });
    await ada.hears((message) => message.type === 'yjs-update-saved' && message.id === what);
  }
});

test('a draft that is too large is read-only from then on, and its writers are told', { timeout: 180_000 }, async (t) => {
  const server = await Parlor.start(t);
  const id = await draft(server);
  const ada = await new JsonEditor(t, server, id, 'ada', { base64: true }).ready();
  const errors = () => ada.diary.all('error');
  for (let part = 0; errors().length === 0; part += 1) {
    assert.ok(part * PART_BYTES <= DRAFT_BYTES_MAX + PART_BYTES, `${part} parts are taken`);
    ada.doc.getArray('array').push([new Uint8Array(PART_BYTES).fill(part)]);
    await eventually('it is saved, or refused', () => ada.isSaved || errors().length > 0);
  }
  assert.equal(errors()[0].code, 'TOO_LARGE', errors()[0].error);
  const length = ada.doc.getArray('array').length - 1;
  assert.ok(length * PART_BYTES > DRAFT_BYTES_MAX - PART_BYTES, `${length} parts are saved`);
  const ben = await new YWebsocketEditor(t, server, id, 'ben').ready();
  assert.deepEqual(ben.doc.getArray('array').toArray().map((part) => part[0]), Array.from({ length }, (_, part) => part));
  const small = new JsonEditor(t, server, id, 'cyd');
  await small.ready();
  small.write('just a word');
  assert.equal((await small.diary.first('error')).code, 'TOO_LARGE');
  assert.equal((await kept(server, 'dan', id)).getText('text').length, 0);
  ben.awareness.setLocalState({ name: 'Ben' });
  await eventually('people still meet', () => small.awareness.getStates().get(ben.doc.clientID)?.name === 'Ben');
});
