// What no editor sends, and too much of what they do: whoever edits another draft meanwhile is saved as before, the
// server lives in bounded memory, and the draft that was aimed at can still be read and written.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import {
  HocuspocusEditor,
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
  passes,
} from './drafts.mjs';
import { Random, edit } from './edits.mjs';
import { Parlor, token } from './parlor.mjs';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const MEBIBYTE = 1 << 20;
/** How many attack at once. */
const ATTACKERS = 16;
/** How much each of them writes that only floods. */
const LOUD_EDITS = 150;
/** What the server may grow by under any of it: the documents' own limits, and what its allocator keeps. */
const GROWTH_MAX = 512 * MEBIBYTE;

const server = await Parlor.start({ after });

/** Editors of a draft that nobody attacks, who are told of each of their edits that it is saved. */
class Calm {
  #edits = 0;
  /** How long each edit took to be saved and read, in ms. */
  #took = [];

  static async begin(t) {
    const calm = new Calm();
    calm.test = t;
    const id = await draft(server);
    calm.json = await new JsonEditor(t, server, id, 'calm').ready();
    calm.hocuspocus = await new HocuspocusEditor(t, server, id, 'quiet').ready();
    calm.reader = await new YWebsocketEditor(t, server, id, 'still').ready();
    await calm.edits();
    calm.alone = median(calm.#took.splice(0));
    calm.before = server.residentBytes;
    return calm;
  }

  /** Some edits, each saved before the next, and all read by another. */
  async edits(count = 10) {
    for (let time = 0; time < count; time += 1) {
      const since = performance.now();
      this.json.write('.');
      this.hocuspocus.write('.');
      this.#edits += 2;
      const saved = () => this.json.saved.has(`calm-${this.json.saved.size}`) && this.hocuspocus.unsynced === 0;
      await eventually('it is saved', () => saved() && this.reader.text.length === this.#edits);
      this.#took.push(performance.now() - since);
    }
    const gone = [this.json, this.reader, this.hocuspocus].map(({ diary }) => diary.all('close'));
    assert.deepEqual(gone, [[], [], []], 'nobody is disturbed');
  }

  /** Edits until that is done. How long edits took is said, and judged by nobody: the machine has other things to do. */
  async until(done, what = 'the attack') {
    let over = false;
    const end = done.finally(() => (over = true));
    while (!over) await this.edits(1);
    await end;
    const took = this.#took.splice(0).map(Math.round);
    this.test.diagnostic(`an edit took ${Math.round(this.alone)} ms, and during ${what} ${median(took)}, at most ${Math.max(...took)}`);
    await this.edits();
    this.#took = [];
    assert.equal(server.alive, true);
    const grown = server.residentBytes - this.before;
    assert.ok(grown < GROWTH_MAX, `grown by ${grown} bytes`);
  }
}

const median = (list) => list.toSorted((one, other) => one - other)[Math.floor(list.length / 2)];

/** The draft can be written and read as before. */
async function usable(t, id, user = 'honest') {
  const honest = await new HocuspocusEditor(t, server, id, user).ready();
  const mark = `still usable, says ${user}`;
  honest.doc.getMap('honest').set(user, mark);
  await honest.ready();
  const doc = await kept(server, user, id);
  assert.equal(doc.getMap('honest').get(user), mark);
  return honest;
}

/** An update of these structs, each of one client and its first, and of deletions. */
const update = (structs, deletes = []) =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, structs.length);
    for (const [client, clock, write] of structs) {
      encoding.writeVarUint(encoder, 1);
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      write(encoder);
    }
    encoding.writeVarUint(encoder, deletes.length);
    for (const [client, ...ranges] of deletes) {
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, ranges.length);
      for (const [clock, length] of ranges) {
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarUint(encoder, length);
      }
    }
  });
/** A struct of this kind at the beginning of a root. */
const struct = (kind, content) => (encoder) => {
  encoding.writeUint8(encoder, kind);
  encoding.writeVarUint(encoder, 1);
  encoding.writeVarString(encoder, 'text');
  content(encoder);
};
const string = (text) => struct(4, (encoder) => encoding.writeVarString(encoder, text));
const octets = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));

/** What a document of `yjs` sends after this was done with it. */
function written(change) {
  const doc = new Y.Doc();
  change(doc);
  return Y.encodeStateAsUpdate(doc);
}

function deepXml(doc) {
  let parent = doc.getXmlFragment('xml');
  doc.transact(() => {
    for (let depth = 0; depth < 20_000; depth += 1) {
      const child = new Y.XmlElement('p');
      parent.insert(0, [child]);
      parent = child;
    }
  });
}

/** Updates that are none, or that no document should have to hold. */
const BOMBS = {
  'a hundred million clients': octets('80c2d72f'),
  'four hundred million clients': octets('8088debe01'),
  'a hundred million structs': octets('0180c2d72f'),
  'a hundred million deletions': octets('000180c2d72f80c2d72f'),
  'a number that never ends': octets('ff'.repeat(1_000)),
  'a string beyond its end': update([[1, 0, struct(4, (encoder) => encoding.writeVarUint(encoder, 2 ** 31))]]),
  'values nested a hundred thousand times': update([[1, 0, struct(8, (encoder) => {
    encoding.writeVarUint(encoder, 1);
    for (let depth = 0; depth < 100_000; depth += 1) encoding.writeUint8Array(encoder, octets('7501'));
    encoding.writeUint8(encoder, 126);
  })]]),
  'JSON nested a hundred thousand times': update([[1, 0, struct(5, (encoder) => encoding.writeVarString(encoder, '['.repeat(100_000)))]]),
  'a kind of content that there is not': update([[1, 0, struct(31, () => {})]]),
  'content of the oldest kind': update([[1, 0, struct(2, (encoder) => {
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarString(encoder, '{}');
  })]]),
  'types nested twenty thousand times': written(deepXml),
  'a clock at the end of all numbers': update([[1, 2 ** 53 - 2, string('x')]]),
  'garbage of four thousand million items': update([[1, 0, (encoder) => {
    encoding.writeUint8(encoder, 0);
    encoding.writeVarUint(encoder, 2 ** 32 - 1);
  }]]),
  'a deletion of everything there will ever be': update([], [[1, [0, 2 ** 32 - 1]]]),
  'forty thousand clients at one place': update(Array.from({ length: 40_000 }, (_, at) => [at + 1, 0, string('x')])),
  'a hundred thousand formats': written((doc) => doc.transact(() => {
    for (let time = 0; time < 50_000; time += 1) doc.getText('text').insert(0, 'x', { bold: time % 2 === 0 });
  })),
  'a megabyte that hangs in the air': update([[7, 1_000_000, string('x'.repeat(MEBIBYTE))]]),
};

/** How each dialect says it. */
const DIALECTS = {
  '/ws': (t, id, user) => ({
    path: `/ws?${new URLSearchParams({ token: token(user), draftId: id })}`,
    begins: [],
    says: (bytes) => ({ type: 'yjs-update', data: Buffer.from(bytes).toString('base64') }),
  }),
  '/yjs': (t, id, user) => ({
    path: `/yjs/${id}?token=${token(user)}`,
    begins: [],
    says: (bytes) => frame(KIND.sync, SYNC.update, bytes),
  }),
  '/hocuspocus': (t, id, user) => ({
    path: '/hocuspocus',
    begins: [frame(id, KIND.auth, 0, token(user), '4.8.0')],
    says: (bytes) => frame(id, KIND.sync, SYNC.update, bytes),
  }),
};

/** Sends these on one socket after another, as each is closed; done when all were read. */
async function attack(t, dialect, id, user, all) {
  let socket;
  for (const bytes of all) {
    const { path, begins, says } = DIALECTS[dialect](t, id, user);
    if (socket?.socket.readyState !== 1) {
      socket = new RawSocket(t, server, path);
      await Promise.race([socket.opened, socket.closed]);
      if (socket.socket.readyState === 1) socket.say(...begins);
    }
    if (socket.socket.readyState === 1) socket.say(says(bytes));
    // A pong says that what came before it was read.
    if (socket.socket.readyState !== 1) continue;
    const pong = new Promise((resolve) => socket.socket.once('pong', resolve));
    socket.socket.ping();
    await Promise.race([pong, socket.closed]);
  }
  socket.socket.terminate();
}

describe('bombs', () => {
  for (const dialect of Object.keys(DIALECTS)) {
    test(`over ${dialect} disturb nobody in another draft`, { timeout: 300_000 }, async (t) => {
      const [id, calm] = [await draft(server), await Calm.begin(t)];
      for (const [what, bytes] of Object.entries(BOMBS)) {
        await calm.until(attack(t, dialect, id, 'eve', [bytes, bytes]), what).catch((error) => {
          error.message = `${what}: ${error.message}`;
          throw error;
        });
      }
      await usable(t, id);
    });
  }

  test(`of mutated updates, from many at once, leave the draft readable (SEED=${SEED})`, { timeout: 300_000 }, async (t) => {
    const [id, calm, random] = [await draft(server), await Calm.begin(t), new Random(SEED)];
    const doc = new Y.Doc();
    const updates = [];
    doc.on('update', (bytes) => updates.push(bytes));
    for (let time = 0; time < 200; time += 1) edit(random, doc, `m${time}`);
    const mutated = () => {
      const bytes = random.of(updates).slice();
      for (let times = random.below(4); times >= 0; times -= 1) bytes[random.below(bytes.length)] = random.below(256);
      return random.below(4) ? bytes : bytes.slice(0, random.below(bytes.length));
    };
    const attacks = Array.from({ length: ATTACKERS }, (_, at) => {
      const dialect = Object.keys(DIALECTS)[at % 3];
      return attack(t, dialect, id, `eve${at}`, Array.from({ length: 150 }, mutated));
    });
    await calm.until(Promise.all(attacks));
    await usable(t, id);
  });
});

describe('floods', () => {
  test('of good updates from many at once are stored in their turn', { timeout: 300_000 }, async (t) => {
    const [id, calm] = [await draft(server), await Calm.begin(t)];
    const loud = await Promise.all(Array.from({ length: ATTACKERS }, (_, at) => new JsonEditor(t, server, id, `loud${at}`).ready()));
    const flood = Promise.all(loud.map(async (editor) => {
      for (let time = 0; time < LOUD_EDITS; time += 1) {
        editor.doc.getArray('array').push([`${editor.name}.${time}`]);
        if (time % 20 === 0) await passes(1);
      }
    }));
    await calm.until(flood);
    const all = ATTACKERS * LOUD_EDITS;
    await eventually('all have all', () => loud.every(({ doc }) => doc.getArray('array').length === all));
    const honest = await usable(t, id);
    assert.equal(honest.doc.getArray('array').length, all);
  });

  test('of updates that hang take no memory', { timeout: 300_000 }, async (t) => {
    const [id, calm] = [await draft(server), await Calm.begin(t)];
    const attacks = Array.from({ length: ATTACKERS }, (_, at) => {
      const hanging = (time) => update([[at * 100 + time + 1, 1_000, string('x'.repeat(MEBIBYTE))]]);
      return attack(t, Object.keys(DIALECTS)[at % 3], id, `eve${at}`, Array.from({ length: 8 }, (_, time) => hanging(time)));
    });
    await calm.until(Promise.all(attacks));
    const doc = await kept(server, 'ada', id);
    assert.equal(Y.encodeStateAsUpdate(doc).length, 2, 'nothing of it is in the draft');
    await usable(t, id);
  });

  test('of people who come and go are borne', { timeout: 300_000 }, async (t) => {
    const [id, calm] = [await draft(server), await Calm.begin(t)];
    const churn = Promise.all(Array.from({ length: ATTACKERS }, async (_, at) => {
      for (let time = 0; time < 25; time += 1) {
        await attack(t, Object.keys(DIALECTS)[time % 3], id, `eve${at}`, [updateOf(at, time)]);
      }
    }));
    await calm.until(churn);
    const honest = await usable(t, id);
    assert.ok(honest.doc.getText('text').length > 0);
  });
});

const updateOf = (at, time) => update([[1_000 + at * 100 + time, 0, string('x')]]);

describe('awareness', () => {
  test('that is forged, broken or far too much is heard by nobody', async (t) => {
    const id = await draft(server);
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => new YWebsocketEditor(t, server, id, user).ready()));
    ada.awareness.setLocalState({ name: 'Ada' });
    await eventually('ben sees her', () => ben.awareness.getStates().get(ada.doc.clientID)?.name === 'Ada');
    const victim = ada.doc.clientID;
    const hostile = [
      octets('80c2d72f'),
      octets('8088debe01'),
      awarenessOf(victim, 1_000, null),
      awarenessOf(victim, 2 ** 53 - 1, { name: 'Eve' }),
      frame(2, 4_711, 1, '{"name":"Eve"}', victim, 1_000, '{"name":"Eve"}'),
      frame(1, 4_711, 1, '{"name":'),
      frame(1, 4_711, 1, `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      frame(1, 4_711, 1, JSON.stringify({ name: 'x'.repeat(MEBIBYTE) })),
      frame(2_000, ...Array.from({ length: 2_000 }, (_, at) => [at + 1, 1, '{}']).flat()),
    ];
    for (const dialect of Object.keys(DIALECTS)) {
      const { path, begins } = DIALECTS[dialect](t, id, 'eve');
      for (const bytes of hostile) {
        const eve = new RawSocket(t, server, path);
        await eve.opened;
        eve.say(...begins);
        if (dialect === '/ws') eve.say({ type: 'awareness-update', data: Array.from(bytes) });
        if (dialect === '/yjs') eve.say(frame(KIND.awareness, bytes));
        if (dialect === '/hocuspocus') eve.say(frame(id, KIND.awareness, bytes));
        const pong = new Promise((resolve) => eve.socket.once('pong', resolve));
        eve.socket.ping();
        await Promise.race([pong, eve.closed]);
        eve.socket.terminate();
      }
    }
    ada.awareness.setLocalState({ name: 'Ada', still: 'here' });
    await eventually('ben sees her', () => ben.awareness.getStates().get(victim)?.still === 'here');
    await eventually('nobody else is left', () => ben.awareness.getStates().size === 2);
    assert.deepEqual([ada, ben].map(({ diary }) => diary.all('close')), [[], []]);
    await usable(t, id);
  });
});
