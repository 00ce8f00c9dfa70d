// Earlier layouts, in small, and the way back to one.

import { button, clock, element } from '../dom.js';
import { places } from './board.js';
import { COLUMNS, arrange, rowsOf } from './grid.js';

const SVG = 'http://www.w3.org/2000/svg';
/** How many are offered. */
const OFFERED_MAX = 20;

/**
 * A layout as a small drawing.
 * @param {any} value
 * @returns {SVGElement}
 */
export function miniature(value) {
  const stored = places({ value });
  const arranged = arrange(Object.keys(stored), stored);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${COLUMNS} ${Math.max(6, rowsOf(arranged))}`);
  svg.setAttribute('class', 'miniature');
  svg.setAttribute('aria-hidden', 'true');
  for (const { x, y, w, h } of arranged.values()) {
    const box = document.createElementNS(SVG, 'rect');
    const sizes = { x: x + 0.15, y: y + 0.15, width: w - 0.3, height: h - 0.3, rx: 0.3 };
    for (const [name, size] of Object.entries(sizes)) box.setAttribute(name, String(size));
    svg.append(box);
  }
  return svg;
}

/**
 * The list of earlier layouts. Those that were not heard in this window have no picture, but come back all the same.
 * @param {import('./board.js').Board} board
 * @param {(version: number) => void} restore
 * @returns {HTMLElement}
 */
export function earlierLayouts({ layout, layouts }, restore) {
  const versions = Array.from({ length: Math.min(OFFERED_MAX, (layout?.version ?? 1) - 1) }, (_, index) => layout.version - 1 - index);
  const rows = versions.map((version) => {
    const heard = layouts.find((one) => one.version === version);
    const made = heard ? [heard.updatedBy, clock(heard.updatedAt)].filter(Boolean).join(' · ') : 'before you came';
    const text = element('span', { class: 'card-text' }, element('strong', {}, `Layout ${version}`), element('small', {}, made));
    const back = button('Restore', () => restore(version), { class: 'button small', 'aria-label': `Restore layout ${version}` });
    return element('li', { 'data-version': version }, heard ? miniature(heard.value) : element('span', { class: 'miniature' }), text, back);
  });
  const empty = element('li', { class: 'empty' }, 'There is no layout before this one.');
  return element('ol', { class: 'earlier', 'data-testid': 'earlier' }, ...(rows.length > 0 ? rows : [empty]));
}
