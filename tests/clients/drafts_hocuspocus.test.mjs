// The provider of Hocuspocus, unmodified, against /hocuspocus.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import * as Y from 'yjs';
import {
  HocuspocusEditor,
  KIND,
  RawSocket,
  SYNC,
  draft,
  eventually,
  frame,
  hocuspocusSocket,
  kept,
  passes,
  saidOf,
} from './drafts.mjs';
import { Parlor, seconds, token } from './parlor.mjs';
import { Diary } from './people.mjs';

/** How long a socket may stay without a draft, in ms. */
const WITHOUT_DRAFT = 60_000;
/** How long a token is good after its time. */
const LEEWAY = 30;
const MEBIBYTE = 1 << 20;
const EMPTY = new Uint8Array([0, 0]);

const server = await Parlor.start({ after });
const editor = (t, id, user, options) => new HocuspocusEditor(t, server, id, user, options).ready();
const raw = (t) => new RawSocket(t, server, '/hocuspocus');
const auth = (id, user, claims) => frame(id, KIND.auth, 0, token(user, claims), '4.8.0');
const step1 = (id, vector = new Uint8Array([0])) => frame(id, KIND.sync, SYNC.step1, vector);
const says = (fits) => (octets) => Object.entries(fits).every(([key, value]) => saidOf(octets)[key] === value);

// It takes as long as a socket may take: it begins first, and is waited for last.
const waiting = { socket: raw({ after }), since: Date.now() };

describe('that no change is unsynced', () => {
  test('is said when it is stored, and no sooner: the server is killed at that moment', async (t) => {
    const own = await Parlor.startSteady(t);
    const id = await draft(own);
    const written = [];
    for (let round = 1; round <= 8; round += 1) {
      const ada = await new HocuspocusEditor(t, own, id, 'ada').ready();
      const killed = new Promise((resolve) => {
        ada.provider.on('unsyncedChanges', ({ number }) => {
          if (number > 0) return;
          ada.provider.removeAllListeners();
          resolve(own.stop('SIGKILL'));
        });
      });
      for (let edit = 1; edit <= round; edit += 1) {
        written.push(`${round}.${edit}`);
        ada.doc.getMap('marks').set(written.at(-1), true);
      }
      await killed;
      ada.leave();
      await own.restart();
      const there = (await kept(own, 'ada', id)).getMap('marks');
      assert.deepEqual(written.filter((mark) => !there.has(mark)), [], `missing after round ${round}`);
    }
  });

  test('is not said of what a killed server never stored, until it has come again', async (t) => {
    const own = await Parlor.startSteady(t);
    const id = await draft(own);
    const ada = await new HocuspocusEditor(t, own, id, 'ada').ready();
    own.signal('SIGSTOP');
    ada.write('in between');
    await passes(200);
    assert.equal(ada.unsynced, 1);
    ada.socket.disconnect();
    await own.stop('SIGKILL');
    await own.restart();
    assert.equal((await kept(own, 'ada', id)).getText('text').toString(), '');
    assert.equal(ada.unsynced, 1);
    ada.socket.connect();
    await ada.ready();
    assert.equal((await kept(own, 'ada', id)).getText('text').toString(), 'in between');
  });

  test('is not said while nothing can be stored, and then it is', async (t) => {
    const own = await Parlor.start(t);
    const id = await draft(own);
    const [ada, ben] = [await new HocuspocusEditor(t, own, id, 'ada').ready(), await new HocuspocusEditor(t, own, id, 'ben').ready()];
    const counted = [];
    ada.provider.on('unsyncedChanges', ({ number }) => counted.push(number));
    own.canWrite(false);
    ada.write('on a full disk');
    await passes(3_000);
    assert.ok(!counted.includes(0), `it was said: ${counted}`);
    assert.equal(ben.text.toString(), '', 'nobody hears what is not stored');
    own.canWrite(true);
    await ada.ready();
    await ben.reads('on a full disk');
    await own.stop('SIGKILL');
    await own.restart();
    assert.equal((await kept(own, 'ada', id)).getText('text').toString(), 'on a full disk');
  });

  test('is said again after a sync that was forced, and of changes that were sent together', async (t) => {
    const ada = await editor(t, await draft(server), 'ada', { flushDelay: 50 });
    ada.provider.forceSync();
    assert.equal(ada.unsynced, 1);
    await ada.ready();
    for (const word of ['one ', 'two ', 'three']) ada.write(word);
    assert.equal(ada.unsynced, 1);
    await ada.ready();
  });

  test('is never said of what hangs; when it is whole, it is said once', async (t) => {
    const id = await draft(server);
    const eve = raw(t);
    await eve.opened;
    eve.say(auth(id, 'eve'), step1(id));
    await eve.hears(says({ kind: KIND.sync, sync: SYNC.step1 }));
    eve.say(frame(id, KIND.sync, SYNC.step2, EMPTY));
    await eve.hears(says({ kind: KIND.syncStatus, status: 1 }));
    eve.heard.length = 0;
    const doc = new Y.Doc();
    const updates = [];
    doc.on('update', (update) => updates.push(update));
    for (const word of ['lost ', 'found']) doc.getText('text').insert(doc.getText('text').length, word);
    eve.say(frame(id, KIND.sync, SYNC.update, updates[1]));
    const asked = saidOf(await eve.hears(says({ kind: KIND.sync, sync: SYNC.step1 })));
    await passes(200);
    const statuses = () => eve.heard.map(saidOf).filter(({ kind }) => kind === KIND.syncStatus).map(({ status }) => status);
    assert.deepEqual(statuses(), []);
    eve.say(frame(id, KIND.sync, SYNC.step2, Y.encodeStateAsUpdate(doc, asked.octets)));
    await eve.hears(says({ kind: KIND.syncStatus }));
    await (await editor(t, id, 'ada')).reads('lost found');
    assert.deepEqual(statuses(), [1]);
  });
});

describe('on one socket', () => {
  test('are many drafts, each with its own text and people', async (t) => {
    const socket = hocuspocusSocket(t, server);
    const ids = await Promise.all(Array.from({ length: 12 }, () => draft(server)));
    const mine = await Promise.all(ids.map((id) => editor(t, id, 'ada', { websocketProvider: socket })));
    const theirs = await Promise.all(ids.map((id, at) => editor(t, id, `u${at}`)));
    mine.forEach((ada, at) => ada.write(`draft ${at}`));
    await Promise.all(theirs.map((other, at) => other.reads(`draft ${at}`)));
    theirs.forEach((other) => other.awareness.setLocalState({ here: other.provider.configuration.name }));
    for (const [at, ada] of mine.entries()) {
      const states = () => [...ada.awareness.getStates().values()].map(({ here }) => here).filter(Boolean);
      await eventually('one other is seen', () => states().join() === ids[at]);
    }
    assert.equal(new Set(mine.map((ada) => ada.socket.webSocket)).size, 1);
    await Promise.all(mine.map((ada) => ada.ready()));
  });

  test('one is refused, and the others go on; a better token is taken', async (t) => {
    const socket = hocuspocusSocket(t, server);
    const [id, second, foreign] = [await draft(server), await draft(server), await draft(server, {}, undefined, 'other')];
    const ada = await editor(t, id, 'ada', { websocketProvider: socket });
    let given = `${token('ada')}x`;
    const bad = new HocuspocusEditor(t, server, second, 'ada', { websocketProvider: socket, token: () => given });
    const closed = new HocuspocusEditor(t, server, foreign, 'ada', { websocketProvider: socket });
    const absent = new HocuspocusEditor(t, server, 'nowhere', 'ada', { websocketProvider: socket });
    for (const refused of [bad, closed, absent]) {
      assert.equal(typeof (await refused.diary.first('refused')), 'string');
      assert.equal(refused.provider.isAuthenticated, false);
    }
    ada.write('undisturbed');
    await ada.ready();
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'undisturbed');
    bad.write('at last');
    given = token('ada');
    await bad.provider.sendToken();
    bad.provider.startSync();
    await bad.ready();
    assert.equal((await kept(server, 'ada', second)).getText('text').toString(), 'at last');
  });

  test('one is left and taken up again', async (t) => {
    const socket = hocuspocusSocket(t, server);
    const [id, other] = [await draft(server), await draft(server)];
    const [ada, beside] = [
      await editor(t, id, 'ada', { websocketProvider: socket }),
      await editor(t, other, 'ada', { websocketProvider: socket }),
    ];
    const ben = await editor(t, id, 'ben');
    ada.awareness.setLocalState({ name: 'Ada' });
    await eventually('ben sees her', () => ben.awareness.getStates().get(ada.doc.clientID)?.name === 'Ada');
    ada.provider.detach();
    await eventually('ben sees her go', () => !ben.awareness.getStates().has(ada.doc.clientID));
    ben.write('meanwhile');
    beside.write('beside');
    await Promise.all([ben.ready(), beside.ready()]);
    assert.equal(ada.text.toString(), '');
    ada.provider.attach();
    await ada.reads('meanwhile');
    await ada.ready();
  });

  test('one that is taken away is closed, and the others go on', async (t) => {
    const socket = hocuspocusSocket(t, server);
    const [id, other] = [await draft(server, { guest: 'editor' }), await draft(server, { guest: 'editor' })];
    const options = { websocketProvider: socket, claims: { firmId: 'other' } };
    const [guest, beside] = [await editor(t, id, 'guest', options), await editor(t, other, 'guest', options)];
    const ada = await editor(t, id, 'ada');
    await server.backend('DELETE', `/api/admin/rooms/draft/${id}/members/guest`);
    await guest.diary.first('close');
    ada.write('in private');
    beside.write('still here');
    await Promise.all([ada.ready(), beside.ready()]);
    assert.equal(guest.text.toString(), '');
  });
});

describe('a token', () => {
  test('is asked for again before it ends, and the draft stays open', async (t) => {
    const soon = { exp: seconds() - LEEWAY + 3 };
    const shown = [];
    const give = () => {
      shown.push(token('ada', shown.length ? {} : soon));
      return shown.at(-1);
    };
    const ada = await editor(t, await draft(server), 'ada', { token: give });
    await eventually('it is asked for', () => shown.length > 1);
    await passes(5_000);
    assert.deepEqual(ada.diary.all('close'), []);
    ada.write('still here');
    await ada.ready();
    assert.ok(shown.length <= 3, `it is asked for ${shown.length} times`);
  });

  test('that is not renewed ends the socket with 4401', async (t) => {
    const id = await draft(server);
    const eve = raw(t);
    await eve.opened;
    eve.say(auth(id, 'eve', { exp: seconds() - LEEWAY + 2 }));
    await eve.hears(says({ kind: KIND.auth, step: 2 }));
    await eve.hears(says({ kind: KIND.auth, step: 0 }), 'AskToken');
    assert.deepEqual(await eve.ends(), { code: 4401, reason: 'token expired' });
  });

  test('of a viewer is good for reading', async (t) => {
    const id = await draft(server, { vic: 'viewer' });
    const [ada, vic] = [await editor(t, id, 'ada'), await editor(t, id, 'vic')];
    assert.deepEqual([ada.provider.authorizedScope, vic.provider.authorizedScope], ['read-write', 'readonly']);
    ada.write('yours');
    await vic.reads('yours');
    const statuses = new Diary();
    vic.provider.on('message', ({ event }) => {
      const { kind, status } = saidOf(new Uint8Array(event.data));
      statuses.write(kind, status);
    });
    vic.write(', mine');
    assert.equal(await statuses.first(KIND.syncStatus), 0);
    await passes(200);
    assert.equal(vic.unsynced, 1);
    assert.equal(ada.text.toString(), 'yours');
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'yours');
  });
});

describe('on the wire', () => {
  test('what is written while the token is fetched is not lost', async (t) => {
    const id = await draft(server);
    let give;
    const fetched = new Promise((resolve) => (give = resolve));
    const ada = new HocuspocusEditor(t, server, id, 'ada', { token: () => fetched });
    await eventually('the socket is open', () => ada.socket.webSocket?.readyState === 1);
    ada.write('early ');
    await passes(200);
    ada.write('birds');
    give(token('ada'));
    await ada.ready();
    assert.equal((await kept(server, 'ada', id)).getText('text').toString(), 'early birds');
  });

  test('what is written before the first step is acknowledged with the answer to it, and not before', async (t) => {
    const id = await draft(server);
    const eve = raw(t);
    await eve.opened;
    const doc = new Y.Doc();
    for (const word of ['early ', 'birds']) {
      const before = Y.encodeStateVector(doc);
      doc.getText('text').insert(doc.getText('text').length, word);
      eve.say(frame(id, KIND.sync, SYNC.update, Y.encodeStateAsUpdate(doc, before)));
    }
    eve.say(auth(id, 'eve'), step1(id, Y.encodeStateVector(doc)));
    const asked = saidOf(await eve.hears(says({ kind: KIND.sync, sync: SYNC.step1 })));
    await passes(200);
    assert.deepEqual(eve.heard.filter(says({ kind: KIND.syncStatus })), []);
    eve.say(frame(id, KIND.sync, SYNC.step2, Y.encodeStateAsUpdate(doc, asked.octets)));
    await eve.hears(says({ kind: KIND.syncStatus, status: 1 }));
    assert.equal((await kept(server, 'eve', id)).getText('text').toString(), 'early birds');
    await passes(200);
    assert.equal(eve.heard.filter(says({ kind: KIND.syncStatus })).length, 1);
  });

  test('who waits without a token cannot fill the memory', async (t) => {
    const id = await draft(server);
    const sockets = [raw(t), raw(t), raw(t)];
    await Promise.all(sockets.map(({ opened }) => opened));
    const [many, large, wide] = sockets;
    const before = server.residentBytes;
    for (let time = 0; time < 20_000; time += 1) many.say(step1(id));
    for (let time = 0; time < 200; time += 1) large.say(frame(id, KIND.sync, SYNC.update, new Uint8Array(1_000_000)));
    for (let name = 0; name < 20_000; name += 1) wide.say(step1(`draft ${name}`));
    // Each is read to its end, or closed.
    const read = sockets.map(({ socket, closed }) => {
      const pong = new Promise((resolve) => socket.once('pong', resolve));
      socket.ping();
      return Promise.race([pong, closed]);
    });
    await eventually('all was sent', () => sockets.every(({ socket }) => socket.bufferedAmount === 0 || socket.readyState > 1));
    await Promise.all(read);
    const grown = server.residentBytes - before;
    assert.ok(grown < 64 * MEBIBYTE, `grown by ${grown} bytes`);
    await editor(t, id, 'ada');
  });

  test('what comes before the token waits for it', async (t) => {
    const id = await draft(server);
    const ada = await editor(t, id, 'ada');
    ada.write('Hello');
    await ada.ready();
    const ben = raw(t);
    await ben.opened;
    ben.say(step1(id), auth(id, 'ben'));
    const { octets } = saidOf(await ben.hears(says({ kind: KIND.sync, sync: SYNC.step2 })));
    const doc = new Y.Doc();
    Y.applyUpdate(doc, octets);
    assert.equal(doc.getText('text').toString(), 'Hello');
    assert.deepEqual(saidOf(ben.heard[0]), { name: id, kind: KIND.auth, step: 2, text: 'read-write' });
  });

  test('a first frame that says nothing is 4401, and text is 1003', async (t) => {
    const [garbled, text] = [raw(t), raw(t)];
    await Promise.all([garbled.opened, text.opened]);
    garbled.say(new Uint8Array([200, 1, 2, 3]));
    text.say('{"type":"ping"}');
    assert.deepEqual([(await garbled.ends()).code, (await text.ends()).code], [4401, 1003]);
  });

  test('frames that say nothing are passed over later, and the tenth in a minute ends the socket', async (t) => {
    const id = await draft(server);
    const ada = raw(t);
    await ada.opened;
    ada.say(auth(id, 'ada'));
    await ada.hears(says({ kind: KIND.auth, step: 2 }));
    const garbled = ['', 'c8010203', '00', '0161', '0161000900', '01614d', '03ffffff00', 'ff'.repeat(10), '0000'];
    ada.say(...garbled.map((octets) => new Uint8Array(Buffer.from(octets, 'hex'))), step1(id));
    await ada.hears(says({ kind: KIND.sync, sync: SYNC.step2 }));
    ada.say(new Uint8Array(Buffer.from(garbled[1], 'hex')));
    assert.equal((await ada.ends()).code, 4403);
  });

  test('a pong without a ping is taken in silence', async (t) => {
    const id = await draft(server);
    const ada = raw(t);
    await ada.opened;
    ada.say(auth(id, 'ada'), new Uint8Array([KIND.pong]), step1(id));
    await ada.hears(says({ kind: KIND.sync, sync: SYNC.step2 }));
  });

  test('leaving is answered', async (t) => {
    const id = await draft(server);
    const ada = raw(t);
    await ada.opened;
    ada.say(auth(id, 'ada'));
    await ada.hears(says({ kind: KIND.auth, step: 2 }));
    ada.say(frame(id, KIND.close));
    await ada.hears(says({ kind: KIND.close, name: id, reason: 'provider_initiated' }));
    (await editor(t, id, 'ben')).write('alone');
    ada.heard.length = 0;
    ada.say(auth(id, 'ada'), step1(id));
    await ada.hears(says({ kind: KIND.sync, sync: SYNC.step2 }));
    assert.ok(says({ kind: KIND.auth, step: 2 })(ada.heard[0]), 'nothing came of it meanwhile');
  });

  test('a socket without a draft is 4401 after a minute', { timeout: 2 * WITHOUT_DRAFT }, async () => {
    const { code } = await waiting.socket.closed;
    const after = Date.now() - waiting.since;
    assert.equal(code, 4401);
    assert.ok(after > WITHOUT_DRAFT - 1_000, `after ${after} ms`);
  });
});
