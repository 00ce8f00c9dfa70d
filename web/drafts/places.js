// Places in the text that stay where they are while others write: relative positions of Yjs, and what they are now.

import {
  createAbsolutePositionFromRelativePosition,
  createRelativePositionFromJSON,
  createRelativePositionFromTypeIndex,
  decodeRelativePosition,
  encodeRelativePosition,
} from '../editor/libraries.js';
import { fromBase64, toBase64 } from './base64.js';

/**
 * The anchor of a selection. Text that is added at either end stays outside.
 * @param {any} text
 * @param {{from: number, to: number}} range
 * @returns {import('./threads.js').Anchor}
 */
export function anchorOf(text, { from, to }) {
  const place = (index, side) => toBase64(encodeRelativePosition(createRelativePositionFromTypeIndex(text, index, side)));
  return { from: place(from, 0), to: place(to, -1) };
}

/**
 * Where an anchor is now. What others send may be anything.
 * @param {any} text
 * @param {import('./threads.js').Anchor|null} anchor
 * @returns {{from: number, to: number}|null}
 */
export function rangeOf(text, anchor) {
  if (!anchor) return null;
  try {
    const from = indexOf(text, decodeRelativePosition(fromBase64(anchor.from)));
    const to = indexOf(text, decodeRelativePosition(fromBase64(anchor.to)));
    return from === null || to === null ? null : { from: Math.min(from, to), to: Math.max(from, to) };
  } catch {
    return null;
  }
}

/**
 * Where somebody's cursor is now, as it stands in what they tell of themselves.
 * @param {any} text
 * @param {{anchor: object, head: object}|null|undefined} cursor
 * @returns {{anchor: number, head: number}|null}
 */
export function cursorOf(text, cursor) {
  if (!cursor?.anchor || !cursor.head) return null;
  try {
    const anchor = indexOf(text, createRelativePositionFromJSON(cursor.anchor));
    const head = indexOf(text, createRelativePositionFromJSON(cursor.head));
    return anchor === null || head === null ? null : { anchor, head };
  } catch {
    return null;
  }
}

function indexOf(text, position) {
  const found = createAbsolutePositionFromRelativePosition(position, text.doc);
  return found?.type === text ? found.index : null;
}
