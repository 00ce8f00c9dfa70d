// How operations are written for the server (WIRE §3).

import { changed, isSame, places } from './board.js';

/**
 * Writes the frame of an operation, which it keeps: it is sent again exactly so.
 * @param {import('./operations.js').Operation} operation
 * @param {import('./board.js').Board} board
 * @param {Set<string>} present the widgets that there are, with what was done here
 * @returns {{id: string, type: string, payload: object}}
 */
export function frameOf(operation, board, present) {
  operation.frame = written(operation, board, present);
  return operation.frame;
}

function written(operation, board, present) {
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
