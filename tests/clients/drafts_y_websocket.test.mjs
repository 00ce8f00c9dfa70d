// The provider of y-websocket, unmodified, against /yjs.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import WebSocket from 'ws';
import * as Y from 'yjs';
import {
  JsonEditor,
  KIND,
  RawSocket,
  SYNC,
  YWebsocketEditor,
  awarenessOf,
  draft,
  eventually,
  frame,
  kept,
  noting,
  passes,
  said,
} from './drafts.mjs';
import { Parlor, seconds, token } from './parlor.mjs';
import { Proxy } from './proxy.mjs';

/** After how long without a message the provider hangs up, in ms. */
const WATCHDOG = 30_000;
/** How often the provider says again that it is there, in ms. */
const RENEWAL = 15_000;
/** How long a token is good after its time. */
const LEEWAY = 30;

const server = await Parlor.start({ after });
const editor = (t, id, user, options) => new YWebsocketEditor(t, server, id, user, options).ready();
const raw = (t, id, user) => new RawSocket(t, server, `/yjs/${id}?token=${token(user)}`);
const isSync = (step) => (octets) => said(octets).kind === KIND.sync && said(octets).sync === step;

/** What one knows of the other. */
const seen = (one, other) => one.awareness.getStates().get(other.doc.clientID);
const sees = (one, other, what) =>
  eventually(`sees ${JSON.stringify(what)}`, () => JSON.stringify(seen(one, other)) === JSON.stringify(what));

describe('a document', () => {
  test('is the same for all who edit it, and for who comes later', async (t) => {
    const id = await draft(server);
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => editor(t, id, user)));
    ada.write('Dear ');
    await ben.reads('Dear ');
    ben.text.insert(5, 'Sir', { bold: true });
    ben.doc.getMap('map').set('tone', 'warm');
    await ada.reads('Dear Sir');
    assert.deepEqual(ada.text.toDelta(), [{ insert: 'Dear ' }, { insert: 'Sir', attributes: { bold: true } }]);
    await eventually('the map is there', () => ada.doc.getMap('map').get('tone') === 'warm');
    ada.leave();
    const cyd = await editor(t, id, 'cyd');
    assert.deepEqual(cyd.text.toDelta(), ben.text.toDelta());
    assert.deepEqual(cyd.doc.getMap('map').toJSON(), { tone: 'warm' });
  });

  test('is one for each draft', async (t) => {
    const [one, other] = [await draft(server), await draft(server)];
    const [ada, ben] = [await editor(t, one, 'ada'), await editor(t, other, 'ben')];
    ada.write('one');
    ben.write('other');
    await (await editor(t, one, 'cyd')).reads('one');
    assert.equal(ben.text.toString(), 'other');
  });

  test('is found by an id with slashes, and by one that is encoded in the path', async (t) => {
    const id = await draft(server, {}, 'reports/2026/žluť 100% ?#');
    const spelled = ['reports/2026', encodeURIComponent('žluť 100% ?#')].join('/');
    const [ada, ben] = [await editor(t, spelled, 'ada'), await editor(t, encodeURIComponent(id), 'ben')];
    ada.write('here');
    await ben.reads('here');
    const twice = await draft(server, {}, 'a%2Fb');
    await draft(server, {}, 'a/b');
    const [cyd, dan] = [await editor(t, encodeURIComponent(twice), 'cyd'), await editor(t, 'a/b', 'dan')];
    cyd.write('decoded once');
    await (await editor(t, encodeURIComponent(twice), 'eli')).reads('decoded once');
    assert.equal((await kept(server, 'cyd', twice)).getText('text').toString(), 'decoded once');
    assert.equal(dan.text.toString(), '');
  });

  test('comes to a client that returns as what it lacks alone', async (t) => {
    const id = await draft(server);
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => editor(t, id, user)));
    ada.write('x'.repeat(200_000));
    await eventually('ben has it', () => ben.text.length === 200_000);
    ben.provider.disconnect();
    ada.write(' and more');
    const heard = [];
    ben.provider._WS = noting(heard);
    ben.provider.connect();
    await ben.reads(`${'x'.repeat(200_000)} and more`);
    await ben.ready();
    const bytes = heard.reduce((sum, octets) => sum + octets.length, 0);
    assert.ok(bytes < 2_000, `${bytes} bytes for a few words`);
    assert.ok(heard.some(isSync(SYNC.step2)));
  });

  test('takes what was written without a connection', async (t) => {
    const id = await draft(server);
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => editor(t, id, user)));
    ada.provider.disconnect();
    ada.write('alone');
    ben.write('meanwhile ');
    ada.provider.connect();
    await eventually('both have both', () => ada.text.length === 15 && ada.text.toString() === ben.text.toString());
  });
});

describe('awareness', () => {
  test('is shared, and gone with its owner', async (t) => {
    const id = await draft(server);
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => editor(t, id, user)));
    ada.awareness.setLocalState({ user: { name: 'Ada' }, cursor: 3 });
    await sees(ben, ada, { user: { name: 'Ada' }, cursor: 3 });
    ada.awareness.setLocalStateField('cursor', 4);
    await sees(ben, ada, { user: { name: 'Ada' }, cursor: 4 });
    const cyd = await editor(t, id, 'cyd');
    await sees(cyd, ada, { user: { name: 'Ada' }, cursor: 4 });
    ada.provider.ws.terminate();
    ada.provider.shouldConnect = false;
    await sees(ben, ada, undefined);
    await sees(cyd, ada, undefined);
  });

  test('is told again at once by a client that comes back', async (t) => {
    const id = await draft(server);
    const proxy = await Proxy.start(t, server);
    const ben = await editor(t, id, 'ben');
    const ada = await new YWebsocketEditor(t, proxy, id, 'ada').ready();
    ada.awareness.setLocalState({ name: 'Ada' });
    await sees(ben, ada, { name: 'Ada' });
    proxy.cut();
    await sees(ben, ada, undefined);
    const before = ada.awareness.meta.get(ada.doc.clientID).lastUpdated;
    proxy.mend();
    await sees(ben, ada, { name: 'Ada' });
    assert.ok(Date.now() - before < RENEWAL, 'not only when it would have been renewed');
  });

  test('keeps a client connected that is all alone', { timeout: 2 * WATCHDOG }, async (t) => {
    const ada = await editor(t, await draft(server), 'ada');
    await passes(WATCHDOG + 6_000);
    assert.deepEqual(ada.diary.all('close'), []);
    assert.equal(ada.provider.wsconnected, true);
  });

  test('of another is neither changed nor taken away', async (t) => {
    const id = await draft(server);
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => editor(t, id, user)));
    ada.awareness.setLocalState({ name: 'Ada' });
    await sees(ben, ada, { name: 'Ada' });
    const eve = raw(t, id, 'eve');
    await eve.opened;
    const victim = ada.doc.clientID;
    for (const [clock, state] of [[90, { name: 'Eve' }], [91, null]]) {
      eve.say(frame(KIND.awareness, awarenessOf(victim, clock, state)));
    }
    // What she says of herself comes after it.
    eve.say(frame(KIND.awareness, awarenessOf(4_711, 1, { name: 'Eve' })));
    await eventually('ben sees eve', () => ben.awareness.getStates().get(4_711)?.name === 'Eve');
    assert.deepEqual(seen(ben, ada), { name: 'Ada' });
    assert.deepEqual(ada.awareness.getLocalState(), { name: 'Ada' });
    eve.socket.terminate();
    await eventually('eve is gone', () => !ben.awareness.getStates().has(4_711));
    assert.deepEqual(seen(ben, ada), { name: 'Ada' }, 'what she claimed does not go with her');
    ada.awareness.setLocalState({ name: 'Ada', still: 'here' });
    await sees(ben, ada, { name: 'Ada', still: 'here' });
  });

  test('is told to who asks for it', async (t) => {
    const id = await draft(server);
    const ada = await editor(t, id, 'ada');
    ada.awareness.setLocalState({ name: 'Ada' });
    const ben = raw(t, id, 'ben');
    await ben.opened;
    const tells = (octets) => said(octets).kind === KIND.awareness && Buffer.from(octets).includes('"Ada"');
    await ben.hears(tells, 'of Ada on coming in');
    ben.heard.length = 0;
    ben.say(frame(KIND.queryAwareness));
    await ben.hears(tells, 'of Ada on asking');
  });
});

describe('at the door', () => {
  const refused = async (t, id, user, options) => {
    const provider = new YWebsocketEditor(t, server, id, user, options);
    const { code } = await provider.diary.first('closed');
    assert.equal(provider.provider.shouldConnect, false, 'it gives up');
    return code;
  };

  test('a token that is bad, missing or over is 4401, and the provider gives up', async (t) => {
    const id = await draft(server);
    assert.equal(await refused(t, id, 'eve', { params: { token: `${token('eve')}x` } }), 4401);
    assert.equal(await refused(t, id, 'eve', { params: {} }), 4401);
    assert.equal(await refused(t, id, 'eve', { claims: { exp: seconds() - 60 } }), 4401);
  });

  test('a draft of another firm, or that there is not, is 4403, and the provider gives up', async (t) => {
    const id = await draft(server, { guest: 'editor' });
    assert.equal(await refused(t, id, 'eve', { claims: { firmId: 'other' } }), 4403);
    assert.equal(await refused(t, 'nowhere', 'ada'), 4403);
    assert.equal(await refused(t, '', 'ada'), 4403);
    await editor(t, id, 'guest', { claims: { firmId: 'other' } });
  });

  test('a token that ends is 4401, and the provider gives up', async (t) => {
    const id = await draft(server);
    const ada = new YWebsocketEditor(t, server, id, 'ada', { claims: { exp: seconds() - LEEWAY + 2 } });
    await ada.ready();
    assert.deepEqual(await ada.diary.first('closed'), { code: 4401, reason: 'token expired' });
  });

  test('who is taken out of a draft hears no more of it, and the provider gives up', async (t) => {
    const id = await draft(server, { guest: 'editor' });
    const guest = await editor(t, id, 'guest', { claims: { firmId: 'other' } });
    await server.backend('DELETE', `/api/admin/rooms/draft/${id}/members/guest`);
    assert.equal((await guest.diary.first('closed')).code, 4403);
  });
});

describe('on the wire', () => {
  test('the server begins with its state vector, and always answers a SyncStep1', async (t) => {
    const ada = raw(t, await draft(server), 'ada');
    assert.deepEqual(await ada.hears(isSync(SYNC.step1)), frame(KIND.sync, SYNC.step1, new Uint8Array([0])));
    ada.say(frame(KIND.sync, SYNC.step1, new Uint8Array([0])));
    assert.deepEqual(await ada.hears(isSync(SYNC.step2)), frame(KIND.sync, SYNC.step2, new Uint8Array([0, 0])));
  });

  test('text is 1003', async (t) => {
    const ada = raw(t, await draft(server), 'ada');
    await ada.opened;
    ada.say('{"type":"ping"}');
    assert.equal((await ada.ends()).code, 1003);
  });

  test('a viewer sees everything and changes nothing', async (t) => {
    const id = await draft(server, { vic: 'viewer' });
    const [ada, vic] = await Promise.all(['ada', 'vic'].map((user) => editor(t, id, user)));
    ada.write('read me');
    await vic.reads('read me');
    vic.write(', or not');
    vic.awareness.setLocalState({ name: 'Vic' });
    await sees(ada, vic, { name: 'Vic' });
    ada.write('!');
    await eventually('vic has it', () => vic.text.toString().includes('!'));
    assert.equal(ada.text.toString(), 'read me!');
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'read me!');
  });

  test('what an update needs and the server has not is asked for', async (t) => {
    const id = await draft(server);
    const doc = new Y.Doc();
    const updates = [];
    doc.on('update', (update) => updates.push(update));
    for (const word of ['one ', 'two ', 'three']) doc.getText('text').insert(doc.getText('text').length, word);
    const eve = raw(t, id, 'eve');
    await eve.hears(isSync(SYNC.step1));
    eve.heard.length = 0;
    eve.say(frame(KIND.sync, SYNC.update, updates[2]));
    const asked = await eve.hears(isSync(SYNC.step1));
    eve.say(frame(KIND.sync, SYNC.step2, Y.encodeStateAsUpdate(doc, said(asked).octets)));
    await (await editor(t, id, 'ada')).reads('one two three');
  });

  test('a socket that comes and goes at once leaves nothing behind', async (t) => {
    const id = await draft(server);
    const ada = await editor(t, id, 'ada');
    for (let time = 0; time < 20; time += 1) {
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/yjs/${id}?token=${token('eve')}`);
      socket.on('error', () => {});
      setTimeout(() => socket.terminate(), time);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    const watch = await new JsonEditor(t, server, id, 'watch').ready();
    const here = ({ data }) => data.map(({ userId, connections }) => `${userId} ${connections}`).sort().join();
    await watch.diary.until(() => watch.diary.all('active-users').map(here).at(-1) === 'ada 1,watch 1', 'who is there');
    ada.write('still here');
    await (await editor(t, id, 'ben')).reads('still here');
  });
});
