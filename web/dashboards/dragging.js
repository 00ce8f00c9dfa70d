// Moving and resizing a card, with a pointer or with the arrow keys. While it is dragged the card follows the
// pointer, and the others show where they would go.

import { COLUMNS } from './grid.js';

/**
 * @typedef {import('./grid.js').Place} Place
 * @typedef {{cell: () => {width: number, height: number}, place: () => Place, follow: (x: number, y: number) => void,
 *   wanted: (place: Place) => void, done: (place: Place|null) => void, stepped: (place: Place) => void}} Hooks
 */

/** How far a pointer goes before it drags, in pixels. */
const SLACK_PX = 4;
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Lets a handle move or resize its card.
 * @param {HTMLElement} handle
 * @param {'move'|'resize'} kind
 * @param {Hooks} hooks
 */
export function makeHandle(handle, kind, hooks) {
  handle.addEventListener('pointerdown', (event) => begin(event, handle, kind, hooks));
  handle.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    if (!step || !hooks.place() || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    hooks.stepped(changed(hooks.place(), kind, ...step));
  });
}

function begin(down, handle, kind, hooks) {
  const from = hooks.place();
  if (down.button !== 0 || handle.hidden || !from) return;
  down.preventDefault();
  handle.focus({ preventScroll: true });
  handle.setPointerCapture(down.pointerId);
  const { width, height } = hooks.cell();
  const scroller = handle.closest('.scroll');
  const scrolled = scroller?.scrollTop ?? 0;
  let to = from;
  let isDragged = false;
  const moved = (event) => {
    const x = event.clientX - down.clientX;
    const y = event.clientY - down.clientY + (scroller?.scrollTop ?? 0) - scrolled;
    if (!isDragged && Math.hypot(x, y) < SLACK_PX) return;
    isDragged = true;
    hooks.follow(x, y);
    const next = changed(from, kind, Math.round(x / width), Math.round(y / height));
    if (next.x === to.x && next.y === to.y && next.w === to.w && next.h === to.h) return;
    to = next;
    hooks.wanted(to);
  };
  const end = (place) => {
    handle.removeEventListener('pointermove', moved);
    handle.removeEventListener('pointerup', up);
    handle.removeEventListener('pointercancel', cancel);
    handle.removeEventListener('lostpointercapture', cancel);
    handle.removeEventListener('keydown', pressed);
    hooks.done(isDragged ? place : null);
  };
  const up = () => end(to);
  const cancel = () => end(null);
  const pressed = (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    cancel();
  };
  handle.addEventListener('pointermove', moved);
  handle.addEventListener('pointerup', up);
  handle.addEventListener('pointercancel', cancel);
  handle.addEventListener('lostpointercapture', cancel);
  handle.addEventListener('keydown', pressed);
}

function changed({ x, y, w, h }, kind, right, down) {
  if (kind === 'move') return { x: Math.min(Math.max(0, x + right), COLUMNS - w), y: Math.max(0, y + down), w, h };
  return { x, y, w: Math.min(Math.max(2, w + right), COLUMNS - x), h: Math.max(2, h + down) };
}
