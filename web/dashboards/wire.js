// How operations are written for the server (WIRE §3).

import { changed, isSame, places } from './board.js';

/** The largest message over the socket (WIRE §0.6), with room for what stands beside an operation in it. */
export const FRAME_BYTES_MAX = 250_000;

/**
 * Writes the frames of the operations that are to be sent next, which keep them: they are sent again exactly so. What
 * is larger than a message may be would end each connection, and is told apart.
 * @param {import('./operations.js').Operations} operations
 * @param {import('./board.js').Board} board
 * @returns {{written: import('./operations.js').Operation[], isTooLarge: {id: string, error: object}[]}}
 */
export function write(operations, board) {
  const [due, isTooLarge] = [operations.due(), []];
  const present = due.length > 0 ? operations.shownWidgets(board.widgets) : new Map();
  for (const operation of due) {
    operation.frame = frameOf(operation, board, present);
    const actual = bytesOf(operation.frame);
    const message = `it has ${actual} bytes, over the limit of ${FRAME_BYTES_MAX}`;
    if (actual > FRAME_BYTES_MAX) isTooLarge.push({ id: operation.id, error: { code: 'TOO_LARGE', message, recoverable: false } });
  }
  return { written: due.filter(({ id }) => !isTooLarge.some((one) => one.id === id)), isTooLarge };
}

/** How long something is as JSON, in bytes. */
export function bytesOf(value) {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

function frameOf(operation, board, present) {
  const { id, kind, widgetId, base, changes, version } = operation;
  switch (kind) {
    case 'update':
      return { id, type: 'WIDGET_UPDATE', payload: { widgetId, baseVersion: base, changes } };
    case 'delete':
      return { id, type: 'WIDGET_DELETE', payload: { widgetId, baseVersion: base } };
    case 'layout':
      return { id, type: 'LAYOUT_UPDATE', payload: { baseVersion: base, layout: laid(board.layout, operation.moves, present) } };
    case 'restore':
      return { id, type: 'LAYOUT_RESTORE', payload: { version } };
    case 'resolve':
      return { id, type: 'CONFLICT_RESOLVED', payload: decided(operation, present) };
    default:
      throw new TypeError(`no such operation: ${kind}`);
  }
}

/**
 * A layout with what was moved here. Whose widget is gone has no place in it any more: a layout of all that ever were
 * grows until the server refuses it.
 */
function laid(layout, moves, present) {
  return Object.fromEntries(Object.entries(changed(places(layout), moves)).filter(([id]) => present.has(id)));
}

/** Of a layout, “mine” is what was moved here put upon what others have made of it. */
function decided({ conflict, resolution, value }, present) {
  const { conflictId, widgetId, current, operation } = conflict;
  if (widgetId === null && resolution === 'mine') {
    return { conflictId, resolution: 'merged', value: laid(current, operation.moves, present) };
  }
  return { conflictId, resolution, ...(resolution === 'merged' ? { value } : {}) };
}

/**
 * What was decided about a conflict that the server does not know any more, as a change of its own.
 * @param {import('./operations.js').Operation} did
 * @param {'mine'|'theirs'|'merged'} resolution
 * @param {any} value
 * @param {import('./board.js').Board} board
 */
export function resolutionOf(did, resolution, value, board) {
  if (resolution === 'theirs') return null;
  const { kind, widgetId, changes, moves, before } = did;
  if (resolution === 'mine') return { kind, widgetId, changes, moves, before };
  const known = board.widgets.get(widgetId)?.value ?? {};
  const removed = Object.keys(known).filter((name) => !Object.hasOwn(value, name));
  const set = Object.entries(value).filter(([name]) => !isSame(known[name], value[name]));
  return { kind: 'update', widgetId, changes: Object.fromEntries([...set, ...removed.map((name) => [name, null])]) };
}

/** The question for what came after a place in the log, as far as one is known. */
export function sinceOf(seq) {
  return seq === null ? {} : { since: seq };
}
