// Clients of /ws: every row of its table.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import * as Y from 'yjs';
import {
  HocuspocusEditor,
  JsonEditor,
  RawSocket,
  YWebsocketEditor,
  bytes,
  draft,
  eventually,
  kept,
  passes,
} from './drafts.mjs';
import { Parlor, seconds, token } from './parlor.mjs';

/** How long a token is good after its time. */
const LEEWAY = 30;
/** How long a client may take to answer the server's request for its state, in ms. */
const ANSWER_WITHIN = 10_000;

const server = await Parlor.start({ after });
const editor = (t, id, user, options) => new JsonEditor(t, server, id, user, options).ready();
const raw = (t, query) => new RawSocket(t, server, `/ws?${new URLSearchParams(query)}`);
const ofType = (type, fits = () => true) => (message) => message.type === type && fits(message);
const array = (octets) => Array.from(octets);
const base64 = (octets) => Buffer.from(octets).toString('base64');
const EMPTY = [0, 0];

/** A socket by hand that sits in the draft. */
async function sitting(t, id, user = 'raw', claims = {}) {
  const socket = raw(t, { token: token(user, claims), draftId: id });
  await socket.hears(ofType('yjs-state-request'));
  return socket;
}

/** What a document of its own sends as it is written into. */
function writer(doc = new Y.Doc()) {
  const updates = [];
  doc.on('update', (update) => updates.push(update));
  return (text) => {
    doc.getText('text').insert(doc.getText('text').length, text);
    return updates.at(-1);
  };
}

describe('the document', () => {
  test('comes at once, then what the server has is told, and who is there', async (t) => {
    const id = await draft(server);
    const socket = await sitting(t, id, 'ada');
    assert.deepEqual(socket.heard.filter(({ type }) => /^yjs/.test(type)), [
      { type: 'yjs-state-response', data: EMPTY },
      { type: 'yjs-state-request', data: [0] },
    ]);
    const { data } = await socket.hears(ofType('active-users'));
    assert.deepEqual(data, [{ userId: 'ada', name: 'ada', connections: 1 }]);
  });

  test('comes on request, and only what is missing where a state vector is given', async (t) => {
    const id = await draft(server);
    const ada = await editor(t, id, 'ada');
    ada.write('Hello');
    const vector = Y.encodeStateVector(ada.doc);
    ada.write(' world');
    await eventually('both are saved', () => ada.isSaved);
    const socket = await sitting(t, id);
    const asks = async (message) => {
      socket.heard.length = 0;
      socket.say({ type: 'yjs-state-request', ...message });
      return (await socket.hears(ofType('yjs-state-response'))).data;
    };
    const whole = new Y.Doc();
    Y.applyUpdate(whole, bytes(await asks({})));
    assert.equal(whole.getText('text').toString(), 'Hello world');
    const rest = await asks({ data: array(vector) });
    assert.equal(Y.decodeUpdate(bytes(rest)).structs.reduce((sum, { length }) => sum + length, 0), ' world'.length);
    assert.deepEqual(bytes(await asks({ data: base64(Y.encodeStateVector(whole)) })), Uint8Array.from(EMPTY));
  });

  test('is written by updates, which are saved under their ids and heard by all others', async (t) => {
    const id = await draft(server);
    const [one, other] = [await sitting(t, id, 'one'), await sitting(t, id, 'other')];
    const yjs = await new YWebsocketEditor(t, server, id, 'yjs').ready();
    const hocuspocus = await new HocuspocusEditor(t, server, id, 'hocuspocus').ready();
    const update = writer()('Hello');
    one.say({ type: 'yjs-update', data: array(update), id: 'u1' });
    assert.deepEqual(await one.hears(ofType('yjs-update-saved')), { type: 'yjs-update-saved', id: 'u1' });
    const heard = new Y.Doc();
    Y.applyUpdate(heard, bytes((await other.hears(ofType('yjs-update'))).data));
    assert.equal(heard.getText('text').toString(), 'Hello');
    await Promise.all([yjs.reads('Hello'), hocuspocus.reads('Hello')]);
    assert.deepEqual(one.heard.filter(ofType('yjs-update')), [], 'its author does not hear it');
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'Hello');
  });

  test('that is sent again under its id is saved once', async (t) => {
    const id = await draft(server);
    const [one, other] = [await sitting(t, id, 'one'), await sitting(t, id, 'other')];
    const [write, said] = [writer(), { type: 'yjs-update', id: 'u1' }];
    const data = array(write('Hello'));
    one.say({ ...said, data });
    await one.hears(ofType('yjs-update-saved'));
    one.heard.length = 0;
    one.say({ ...said, data });
    await one.hears(ofType('yjs-update-saved'));
    one.say({ type: 'yjs-update', id: 'u2', data: array(write('!')) });
    await one.hears(ofType('yjs-update-saved', ({ id }) => id === 'u2'));
    await eventually('two are heard', () => other.heard.filter(ofType('yjs-update')).length === 2);
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'Hello!');
  });

  test('travels as base64 to who sends base64, and as integers to others', async (t) => {
    const id = await draft(server);
    const [one, other] = [await sitting(t, id, 'one'), await sitting(t, id, 'other')];
    const write = writer();
    one.say({ type: 'yjs-update', data: base64(write('a')), id: 'u1' });
    await one.hears(ofType('yjs-update-saved'));
    assert.ok(Array.isArray((await other.hears(ofType('yjs-update'))).data));
    other.say({ type: 'yjs-update', data: array(write('b')), id: 'u2' });
    assert.equal(typeof (await one.hears(ofType('yjs-update'))).data, 'string');
    one.say({ type: 'yjs-state-request' });
    assert.equal(typeof (await one.hears(ofType('yjs-state-response', ({ data }) => typeof data === 'string'))).data, 'string');
  });

  test('is one for editors of all kinds, in both spellings', async (t) => {
    const id = await draft(server);
    const [ada, ben] = [await editor(t, id, 'ada'), await editor(t, id, 'ben', { base64: true })];
    ada.write('from ada, ');
    await ben.reads('from ada, ');
    ben.write('from ben');
    await ada.reads('from ada, from ben');
    await eventually('each is told what is saved', () => ada.saved.has('ada-2') && ben.saved.has('ben-2'));
  });

  test('is read-only for a viewer, who is told so', async (t) => {
    const id = await draft(server, { vic: 'viewer' });
    const [ada, vic] = [await editor(t, id, 'ada'), await sitting(t, id, 'vic')];
    vic.say({ type: 'yjs-update', data: array(writer()('mine')), id: 'u1' });
    const { error, code } = await vic.hears(ofType('error'));
    assert.deepEqual([typeof error, code], ['string', 'PERMISSION_DENIED']);
    ada.write('yours');
    await vic.hears(ofType('yjs-update'));
    assert.equal(ada.text.toString(), 'yours');
    assert.deepEqual(vic.heard.filter(ofType('yjs-update-saved')), []);
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'yours');
  });
});

describe('updates that hang', () => {
  test('are asked for at once, and saved when they are whole', async (t) => {
    const id = await draft(server);
    const [ada, socket] = [await editor(t, id, 'ada'), await sitting(t, id)];
    const doc = new Y.Doc();
    const write = writer(doc);
    write('lost ');
    socket.heard.length = 0;
    socket.say({ type: 'yjs-update', data: array(write('found')), id: 'u2' });
    const asked = await socket.hears(ofType('yjs-state-request'));
    assert.deepEqual(socket.heard.filter(ofType('yjs-update-saved')), []);
    socket.say({ type: 'yjs-update', data: array(Y.encodeStateAsUpdate(doc, bytes(asked.data))), id: 'all' });
    await socket.hears(ofType('yjs-update-saved', (saved) => saved.id === 'all'));
    await ada.reads('lost found');
  });

  test('of a client that never answers are "reload", once, and not passed on', { timeout: 60_000 }, async (t) => {
    const id = await draft(server);
    const [ada, socket] = [await editor(t, id, 'ada'), await sitting(t, id)];
    const write = writer();
    write('lost ');
    socket.say({ type: 'yjs-update', data: array(write('one ')) }, { type: 'yjs-update', data: array(write('two ')) });
    const told = await socket.hears(ofType('error'));
    assert.deepEqual([told.code, /reload/.test(told.error)], ['CONFLICT', true]);
    socket.say({ type: 'yjs-update', data: array(write('three')) });
    await passes(ANSWER_WITHIN + 2_000);
    assert.equal(socket.heard.filter(ofType('error')).length, 1, 'once');
    assert.equal(ada.text.toString(), '');
    assert.equal(socket.socket.readyState, 1, 'the connection is kept');
    ada.write('undisturbed');
    await socket.hears(ofType('yjs-update'));
  });
});

describe('others', () => {
  test('are told with their names and how many connections they have', async (t) => {
    const id = await draft(server);
    const ada = await editor(t, id, 'ada', { claims: { name: 'Ada Lovelace' } });
    const is = (...users) => ada.diary.until(() => {
      const { data } = ada.diary.all('active-users').at(-1) ?? { data: [] };
      const sorted = data.toSorted((one, other) => (one.userId < other.userId ? -1 : 1));
      return JSON.stringify(sorted.map(({ userId, name, connections }) => [userId, name, connections])) === JSON.stringify(users);
    }, `hears of ${JSON.stringify(users)}`);
    await is(['ada', 'Ada Lovelace', 1]);
    const ben = await new YWebsocketEditor(t, server, id, 'ben', { claims: { name: 'Ben' } }).ready();
    await is(['ada', 'Ada Lovelace', 1], ['ben', 'Ben', 1]);
    const again = await new HocuspocusEditor(t, server, id, 'ben', { claims: { name: 'Ben' } }).ready();
    await is(['ada', 'Ada Lovelace', 1], ['ben', 'Ben', 2]);
    ben.leave();
    await is(['ada', 'Ada Lovelace', 1], ['ben', 'Ben', 1]);
    again.leave();
    await is(['ada', 'Ada Lovelace', 1]);
  });

  test('have an awareness, which goes with them and is never their other\'s', async (t) => {
    const id = await draft(server);
    const [ada, ben] = [await editor(t, id, 'ada'), await editor(t, id, 'ben', { base64: true })];
    const yjs = await new YWebsocketEditor(t, server, id, 'yjs').ready();
    ada.awareness.setLocalState({ name: 'Ada', cursor: 1 });
    for (const other of [ben, yjs]) {
      await eventually('ada is seen', () => other.awareness.getStates().get(ada.doc.clientID)?.cursor === 1);
    }
    yjs.awareness.setLocalState({ name: 'Y' });
    await eventually('the other is seen', () => ada.awareness.getStates().get(yjs.doc.clientID)?.name === 'Y');
    const cyd = await editor(t, id, 'cyd');
    await eventually('who comes later sees her', () => cyd.awareness.getStates().get(ada.doc.clientID)?.cursor === 1);
    ada.leave();
    for (const other of [ben, yjs, cyd]) {
      await eventually('ada is gone', () => !other.awareness.getStates().has(ada.doc.clientID));
    }
  });

  test('comment, in threads that have an anchor and are resolved', async (t) => {
    const id = await draft(server, { vic: 'viewer' });
    const [ada, ben, vic] = [await editor(t, id, 'ada'), await editor(t, id, 'ben'), await editor(t, id, 'vic')];
    ada.write('Hello world');
    const at = (index) => base64(Y.encodeRelativePosition(Y.createRelativePositionFromTypeIndex(ada.text, index)));
    const anchor = { from: at(6), to: at(11) };
    ada.say({ type: 'comment-add', data: { id: 'c1', anchor, text: 'Which one?' } });
    const { data: first } = await ben.diary.first('comment-added');
    assert.deepEqual(
      [first.commentId, first.userId, first.name, first.anchor, first.text, typeof first.threadId],
      ['c1', 'ada', 'ada', anchor, 'Which one?', 'string'],
    );
    assert.match(first.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Number.isSafeInteger(first.seq));
    const place = Y.createAbsolutePositionFromRelativePosition(Y.decodeRelativePosition(bytes(first.anchor.from)), ada.doc);
    assert.equal(place.index, 6);
    assert.deepEqual((await ada.diary.first('comment-added')).data, first, 'its author is told as well');
    vic.say({ type: 'comment-add', data: { threadId: first.threadId, text: 'This one.' } });
    const { data: second } = await ben.diary.first('comment-added', ({ data }) => data.userId === 'vic');
    assert.deepEqual([second.threadId, second.text, 'anchor' in second], [first.threadId, 'This one.', false]);
    assert.ok(second.seq > first.seq);
    ben.say({ type: 'comment-resolve', data: { threadId: first.threadId, resolved: true } });
    const { data: resolved } = await ada.diary.first('comment-resolved');
    assert.deepEqual([resolved.threadId, resolved.resolved, resolved.userId], [first.threadId, true, 'ben']);
    ben.say({ type: 'comment-resolve', data: { threadId: first.threadId, resolved: false } });
    await ada.diary.first('comment-resolved', ({ data }) => data.resolved === false);
    ben.say({ type: 'comment-resolve', data: { threadId: 'nowhere', resolved: true } });
    assert.equal((await ben.diary.first('error')).code, 'NOT_FOUND');
  });
});

describe('on the wire', () => {
  test('a ping is answered, and a pong taken in silence', async (t) => {
    const socket = await sitting(t, await draft(server));
    socket.say({ type: 'pong' }, { type: 'ping' });
    assert.deepEqual(await socket.hears(ofType('pong')), { type: 'pong' });
    assert.deepEqual(socket.heard.filter(ofType('error')), []);
  });

  test('three updates in a row that do not decode are the end, and two are not', async (t) => {
    const id = await draft(server);
    const [ada, socket] = [await editor(t, id, 'ada'), await sitting(t, id)];
    const write = writer();
    const broken = { type: 'yjs-update', data: [1, 2, 3, 255], id: 'bad' };
    const errors = (count) => eventually(`${count} errors`, () => socket.heard.filter(ofType('error')).length === count);
    socket.say(broken, { ...broken, data: 'AQID/w==' });
    await errors(2);
    socket.say({ type: 'yjs-update', data: array(write('good')), id: 'good' });
    await socket.hears(ofType('yjs-update-saved', (saved) => saved.id === 'good'));
    await ada.reads('good');
    socket.say(broken, broken);
    await errors(4);
    assert.equal(socket.socket.readyState, 1);
    socket.say(broken);
    assert.equal((await socket.ends()).code, 1008);
    assert.equal(ada.text.toString(), 'good');
    assert.deepEqual(ada.diary.all('close'), []);
  });

  test('what is no message is an error that says so', async (t) => {
    const socket = await sitting(t, await draft(server));
    const says = async (text, code) => {
      socket.heard.length = 0;
      socket.say(text);
      const { error, ...rest } = await socket.hears(ofType('error'));
      assert.deepEqual([typeof error, rest.code], ['string', code], text);
    };
    await says('{"type":', 'PROTOCOL_ERROR');
    await says('[]', 'PROTOCOL_ERROR');
    await says('{"data":1}', 'PROTOCOL_ERROR');
    await says('{"type":"dance"}', 'CLIENT_ERROR');
    await says('{"type":"comment-add","data":{}}', 'CLIENT_ERROR');
    socket.say({ type: 'ping' });
    await socket.hears(ofType('pong'));
  });

  test('octets are 1003', async (t) => {
    const socket = await sitting(t, await draft(server));
    socket.say(new Uint8Array([0, 0, 1, 0]));
    assert.equal((await socket.ends()).code, 1003);
  });

  test('who may not come in is told 1008', async (t) => {
    const id = await draft(server, { guest: 'editor' });
    const ada = token('ada');
    const stranger = token('eve', { firmId: 'other' });
    for (const query of [
      { draftId: id },
      { draftId: id, token: `${ada}x` },
      { draftId: id, token: token('ada', { exp: seconds() - 60 }) },
      { token: ada },
      { token: ada, draftId: '' },
      { token: ada, draftId: 'nowhere' },
      { token: stranger, draftId: id },
    ]) {
      const socket = raw(t, query);
      const { code } = await socket.ends();
      assert.deepEqual([code, socket.heard], [1008, []], JSON.stringify(query));
    }
    await sitting(t, id, 'guest', { firmId: 'other' });
  });

  test('a token can be renewed, and ends the connection where it is not', async (t) => {
    const id = await draft(server);
    const soon = { exp: seconds() - LEEWAY + 3 };
    const [goes, stays] = [await sitting(t, id, 'ada', soon), await sitting(t, id, 'ben', soon)];
    const { data } = await stays.hears(ofType('auth:expiring'));
    assert.equal(Date.parse(data.expiresAt), soon.exp * 1_000);
    const exp = seconds() + 3_600;
    stays.say({ type: 'auth:refresh', data: { token: token('ben', { exp }) } });
    const refreshed = await stays.hears(ofType('auth:refreshed'));
    assert.equal(Date.parse(refreshed.data.expiresAt), exp * 1_000);
    assert.deepEqual(await goes.ends(), { code: 1008, reason: 'token expired' });
    stays.say({ type: 'ping' });
    await stays.hears(ofType('pong'));
  });
});
