// What was done here and is not answered yet. Each operation keeps the version that its author had seen, so that the
// server can tell what others have changed since; of one widget, and of the layout, one is on its way at a time, and
// what is done meanwhile waits behind it.

import { changed, isSame, places } from './board.js';

/** How many operations may wait: as many as one request takes. */
export const OPERATIONS_MAX = 500;
/** How many are on their way at once: many that waited do not run into the server's limit of calls. */
export const SENT_MAX = 20;

/**
 * @typedef {'update'|'delete'|'layout'|'restore'|'resolve'} Kind
 * @typedef {{id: string, kind: Kind, widgetId: string|null, base: number|null, isStale: boolean, isBegun: boolean,
 *   changes?: Record<string, any>, moves?: Record<string, any>, before?: Record<string, any>, version?: number,
 *   conflict?: Conflict, resolution?: 'mine'|'theirs'|'merged', value?: any,
 *   touched?: Set<string>, newest?: number, refusals?: number, refusal?: {code?: string, message?: string}, isToRepeat?: boolean, frame: {id: string, type: string, payload: object}|null}} Operation
 *   `isBegun`: a form is open and nothing is to be sent; `touched`: what others have changed since, up to the version
 *   `newest`; `frame`: what was sent, and is sent again exactly so
 * @typedef {{conflictId: string, widgetId: string|null, baseVersion: number, current: any, fields: string[],
 *   operation: Operation}} Conflict
 */

/** The operations of one dashboard, in the order in which they were done. */
export class Operations {
  /** @type {Operation[]} */
  #all = [];

  /** @param {Operation[]} kept those of before */
  constructor(kept = []) {
    this.#all = kept.slice(0, OPERATIONS_MAX);
  }

  /** @returns {Operation[]} what is done and not answered */
  get pending() {
    return this.#all.filter(({ isBegun }) => !isBegun);
  }

  /** @returns {boolean} whether no more can wait */
  get isFull() {
    return this.pending.length >= OPERATIONS_MAX;
  }

  /** @param {string} id */
  find(id) {
    return this.#all.find((operation) => operation.id === id);
  }

  /**
   * Takes an operation in. What waits already for the same widget takes it up, if it can.
   * @param {Partial<Operation> & {id: string, kind: Kind, widgetId: string|null, base: number|null}} done
   */
  add(done) {
    const operation = { isStale: false, isBegun: false, frame: null, ...done };
    if (operation.isBegun) Object.assign(operation, { touched: new Set(), newest: operation.base });
    const last = this.#all.filter((one) => !one.isBegun && one.widgetId === operation.widgetId).at(-1);
    if (operation.isBegun || !last || last.frame || last.kind !== operation.kind || !this.#join(last, operation)) this.#all.push(operation);
  }

  /**
   * A form is sent: what was begun with it is done. It is based on what there is now, unless somebody else has
   * changed the same since the form was opened.
   * @param {string} id
   * @param {Record<string, any>} changes
   */
  finish(id, changes) {
    const begun = this.take(id);
    if (!begun) return;
    const isStale = begun.isStale || Object.keys(changes).some((name) => begun.touched.has(name));
    this.add({ id, kind: 'update', widgetId: begun.widgetId, base: isStale ? begun.base : begun.newest, isStale, changes });
  }

  /** @param {string} id @returns {Operation|undefined} taken out */
  take(id) {
    const at = this.#all.findIndex((operation) => operation.id === id);
    return at < 0 ? undefined : this.#all.splice(at, 1)[0];
  }

  /** @returns {Operation[]} those that are to be sent next */
  due() {
    const { sent } = this;
    const busy = new Set(sent.map(({ widgetId }) => widgetId));
    const free = this.pending.filter((operation) => {
      if (operation.frame || busy.has(operation.widgetId)) return false;
      busy.add(operation.widgetId);
      return true;
    });
    return free.slice(0, Math.max(0, SENT_MAX - sent.length));
  }

  /** @returns {Operation[]} those that were refused for the time being, which are taken for sent again */
  again() {
    const again = this.sent.filter(({ isToRepeat }) => isToRepeat);
    for (const operation of again) operation.isToRepeat = false;
    return again;
  }

  /** @returns {Operation[]} those that were sent and not answered */
  get sent() {
    return this.#all.filter(({ frame }) => frame);
  }

  /**
   * Somebody else has changed something. What waits and does not touch it is from now on based on what there is;
   * what does stays based on what its author had seen.
   * @param {import('./board.js').Change[]} changes
   */
  changed(changes) {
    for (const change of changes) this.#changed(change);
  }

  /**
   * An operation of ours is stored: what waits behind it was done after it.
   * @param {string|null} widgetId
   * @param {number} version
   */
  stored(widgetId, version) {
    for (const operation of this.#waitingFor(widgetId)) {
      if (operation.isBegun) operation.newest = Math.max(operation.newest, version);
      if (!operation.isStale && !(operation.touched?.size > 0)) operation.base = Math.max(operation.base, version);
    }
  }

  /**
   * The widgets with what was done here, as if it were stored.
   * @param {Map<string, import('./board.js').Widget>} widgets
   */
  shownWidgets(widgets) {
    const shown = new Map(widgets);
    for (const operation of this.pending) {
      const { kind, widgetId, resolution, conflict } = operation;
      if (widgetId === null) continue;
      const did = kind === 'resolve' ? conflict.operation : operation;
      if (resolution === 'theirs') continue;
      if (did.kind === 'delete' && resolution !== 'merged') {
        shown.delete(widgetId);
        continue;
      }
      const known = shown.get(widgetId) ?? { widgetId, version: 0, value: {}, updatedBy: '', updatedAt: '' };
      const value = resolution === 'merged' ? operation.value : changed(known.value, did.changes);
      shown.set(widgetId, { ...known, value });
    }
    return shown;
  }

  /**
   * Where the widgets lie with what was moved here.
   * @param {import('./board.js').Layout|null} layout
   * @returns {Record<string, any>}
   */
  shownPlaces(layout) {
    let shown = places(layout);
    for (const { kind, moves, resolution, conflict } of this.pending) {
      const moved = kind === 'resolve' && resolution !== 'theirs' ? conflict.operation.moves : moves;
      if (moved) shown = changed(shown, moved);
    }
    return shown;
  }

  #changed({ widgetId, version, fields, after, isGone }) {
    const own = this.#all.filter((one) => one.frame && one.widgetId === widgetId).map(({ changes, moves }) => changes ?? moves ?? {});
    const foreign = fields.filter((name) => !own.some((sent) => name in sent && isSame(sent[name], after[name] ?? null)));
    for (const operation of this.#waitingFor(widgetId)) {
      if (isGone || (!operation.isBegun && touches(operation, foreign))) operation.isStale = true;
      if (operation.isBegun) foreign.forEach((name) => operation.touched.add(name));
      if (operation.isBegun) operation.newest = version;
      else if (!operation.isStale) operation.base = version;
    }
  }

  #waitingFor(widgetId) {
    return this.#all.filter((one) => !one.frame && one.widgetId === widgetId && one.kind !== 'resolve' && one.kind !== 'restore');
  }

  #join(last, operation) {
    if (last.kind === 'update') Object.assign(last.changes, operation.changes);
    else if (last.kind === 'layout') {
      last.before = { ...operation.before, ...last.before };
      Object.assign(last.moves, operation.moves);
    } else return false;
    last.isStale ||= operation.isStale;
    if (operation.isStale && operation.base !== null) last.base = Math.min(last.base ?? operation.base, operation.base);
    return true;
  }
}

/** Whether what an operation does is about one of these fields. */
function touches({ kind, changes, moves }, fields) {
  return kind === 'delete' ? fields.length > 0 : fields.some((name) => name in (changes ?? moves));
}

/**
 * Whether a layout that stands against what was moved here says something else of the same widgets. A place that was
 * given up went with its card, so whether the card stays is what is asked, and not where.
 * @param {Operation} operation
 * @param {import('./board.js').Layout} current
 */
export function isContested({ moves, before }, current) {
  const theirs = places(current);
  const said = Object.keys(moves).filter((id) => moves[id] !== null);
  return said.some((id) => !isSame(theirs[id] ?? null, before[id] ?? null) && !isSame(theirs[id] ?? null, moves[id]));
}
