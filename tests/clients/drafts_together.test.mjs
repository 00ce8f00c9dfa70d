// Ten editors of all three kinds on one draft, edits of every kind at random, cut connections and a server that is
// killed again and again: in the end all have the same, and nothing is missing of what was said to be saved.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import WebSocket from 'ws';
import * as Y from 'yjs';
import { HocuspocusEditor, JsonEditor, KIND, YWebsocketEditor, draft, eventually, kept, passes, saidOf } from './drafts.mjs';
import { Random, content, edit } from './edits.mjs';
import { Parlor } from './parlor.mjs';
import { Proxy } from './proxy.mjs';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** How often the server is killed, and how long it is left in peace before that, in ms. */
const KILLED = 3;
const IN_PEACE = 2_500;
/** The longest pause between two edits of one editor, in ms. */
const PAUSE_MAX = 80;

const KINDS = {
  'y-websocket': (t, proxy, id, user) => new YWebsocketEditor(t, proxy, id, user),
  hocuspocus: (t, proxy, id, user) => new HocuspocusEditor(t, proxy, id, user),
  '/ws in integers': (t, proxy, id, user) => new JsonEditor(t, proxy, id, user),
  '/ws in base64': (t, proxy, id, user) => new JsonEditor(t, proxy, id, user, { base64: true }),
};
const TEN = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3].map((kind) => Object.keys(KINDS)[kind]);

/** An editor behind a proxy of its own, that edits at random and notes what it is told is saved. */
class Restless {
  #marks = 0;
  /** How many of its edits, from the first, it was told are saved. */
  saved = 0;

  static async begin(t, server, id, kind, name, random) {
    const restless = new Restless();
    Object.assign(restless, { kind, name, random });
    restless.proxy = await Proxy.start(t, server);
    restless.editor = KINDS[kind](t, restless.proxy, id, name);
    if (kind === 'hocuspocus') restless.#countUnsynced();
    if (kind.startsWith('/ws')) restless.#countIds();
    await restless.editor.ready();
    return restless;
  }

  get connected() {
    const { editor } = this;
    return editor.synced && (editor.unsynced ?? 0) === 0;
  }

  get savedMarks() {
    return Array.from({ length: this.saved }, (_, at) => this.#mark(at + 1));
  }

  get allMarks() {
    return Array.from({ length: this.#marks }, (_, at) => this.#mark(at + 1));
  }

  #mark(number) {
    return `${this.name}.${number}`;
  }

  /** Edits until it is told to stop, and is cut off now and then. */
  async edits(going) {
    while (going()) {
      await passes(this.random.below(PAUSE_MAX));
      this.#marks += 1;
      edit(this.random, this.editor.doc, this.#mark(this.#marks));
      if (this.random.below(40)) continue;
      this.proxy.cut();
      void passes(this.random.below(500)).then(() => this.proxy.mend());
    }
  }

  /**
   * All is saved when `unsyncedChanges` falls to 0. What was written without a socket is queued by the provider and sent
   * on without being counted, whatever a server does: so as many words that something is stored have to have come as
   * there were updates, and one for the sync with which a connection begins.
   */
  #countUnsynced() {
    const { provider, socket, doc } = this.editor;
    let [queued, owed] = [0, 0];
    doc.on('update', (_, origin) => {
      if (origin === provider) return;
      owed += 1;
      if (socket.webSocket?.readyState !== WebSocket.OPEN) queued += 1;
    });
    provider.on('open', () => (owed = queued + 1));
    provider.on('synced', () => (queued = 0));
    provider.on('message', ({ event }) => {
      if (saidOf(new Uint8Array(event.data)).kind === KIND.syncStatus) owed -= 1;
    });
    provider.on('unsyncedChanges', ({ number }) => {
      if (number === 0 && owed <= 0) this.saved = this.#marks;
    });
  }

  /** Everything up to an update is saved when its id comes back. */
  #countIds() {
    const { editor } = this;
    const upTo = new Map();
    const { update } = editor;
    editor.update = (octets) => {
      const id = update.call(editor, octets);
      upTo.set(id, this.#marks);
      return id;
    };
    const { add } = editor.saved;
    editor.saved.add = (id) => {
      this.saved = Math.max(this.saved, upTo.get(id));
      return add.call(editor.saved, id);
    };
  }
}

describe('ten editors of one draft', () => {
  test(`end with the same, whatever happens between (SEED=${SEED})`, { timeout: 180_000 }, async (t) => {
    const server = await Parlor.startSteady(t);
    const id = await draft(server);
    const random = new Random(SEED);
    const ten = await Promise.all(
      TEN.map((kind, at) => Restless.begin(t, server, id, kind, `u${at}`, new Random(random.below(2 ** 31)))),
    );
    let going = true;
    t.after(() => (going = false));
    const editing = Promise.all(ten.map((one) => one.edits(() => going)));
    for (let time = 0; time < KILLED; time += 1) {
      await passes(IN_PEACE + random.below(500));
      await server.stop('SIGKILL');
      const soFar = ten.map((one) => one.savedMarks);
      await passes(random.below(300));
      await server.restart();
      const there = (await kept(server, 'u0', id)).getMap('marks');
      assert.deepEqual(soFar.flat().filter((mark) => !there.has(mark)), [], `missing after kill ${time + 1}`);
    }
    await passes(IN_PEACE);
    going = false;
    await editing;
    ten.forEach((one) => one.proxy.mend());
    const edits = ten.flatMap((one) => one.allMarks);
    const quiet = () => ten.every((one) => one.connected && one.editor.doc.getMap('marks').size === edits.length);
    await eventually('all are connected, quiet and have every edit', quiet).catch((error) => {
      error.message += JSON.stringify(ten.map((one) => [one.kind, one.connected, one.editor.doc.getMap('marks').size]));
      throw error;
    });
    const snapshots = () => ten.map((one) => Y.snapshot(one.editor.doc));
    const same = () => snapshots().every((snapshot, _, all) => Y.equalSnapshots(snapshot, all[0]));
    await eventually('all have the same structs and deletions', same);

    const doc = await kept(server, 'u0', id);
    const [first, ...rest] = ten.map((one) => content(one.editor.doc));
    for (const [at, other] of rest.entries()) assert.deepEqual(other, first, `u${at + 1} and u0`);
    assert.deepEqual(content(doc), first, 'the server and u0');
    assert.deepEqual(first.marks, edits.toSorted());
    assert.ok(edits.length > 500, `${edits.length} edits`);
    for (const one of ten.filter(({ kind }) => kind !== 'y-websocket')) {
      assert.ok(one.saved > 0, `${one.name} (${one.kind}) was told that something is saved`);
    }
    t.diagnostic(`${edits.length} edits, ${ten.map((one) => `${one.saved}/${one.allMarks.length}`).join(' ')} told saved`);
  });
});
