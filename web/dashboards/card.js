// One widget on the board: what it shows, and what takes hold of it.

import { element, icon } from '../dom.js';

const SVG = 'http://www.w3.org/2000/svg';
/** How many points of a chart are drawn, and how many entries of a list are shown. */
const POINTS_MAX = 200;
const ENTRIES_MAX = 50;
const CHART = { width: 320, height: 120 };

/** A widget's card; its body is drawn anew when its value changes. */
export class Card {
  node;
  move;
  resize;
  #title = element('h2', { class: 'card-title' });
  #body = element('div', { class: 'card-body' });
  #mark = element('span', { class: 'card-mark' });
  #conflict;
  #buttons;
  #drawn = '';

  /**
   * @param {string} id
   * @param {{edit: () => void, remove: () => void, decide: () => void}} hooks
   */
  constructor(id, { edit, remove, decide }) {
    const press = (label, drawing, pressed, more = '') =>
      element('button', { type: 'button', class: `card-button ${more}`, 'aria-label': label, title: label, on: { click: pressed } }, icon(drawing));
    this.move = press('Move', 'grip', () => {}, 'grip');
    this.resize = press('Resize', 'corner', () => {}, 'corner');
    this.#buttons = [press('Edit', 'draft', edit), press('Delete', 'bin', remove)];
    this.#conflict = element('button', { type: 'button', class: 'button small conflict', hidden: true, on: { click: decide } }, 'Conflict');
    const tools = element('div', { class: 'card-tools' }, ...this.#buttons);
    const head = element('div', { class: 'card-head' }, this.move, this.#title, this.#mark, this.#conflict, tools);
    this.node = element('article', { class: 'widget', 'data-widget': id, 'data-testid': 'widget' }, head, this.#body, this.resize);
  }

  /**
   * @param {{value: Record<string, any>, isPending: boolean, isContested: boolean, isReadOnly: boolean}} widget
   */
  show({ value, isPending, isContested, isReadOnly }) {
    this.node.classList.toggle('pending', isPending);
    this.#mark.textContent = isPending ? 'saving…' : '';
    this.#conflict.hidden = !isContested;
    for (const control of [this.move, this.resize, ...this.#buttons]) control.hidden = isReadOnly;
    const key = JSON.stringify(value);
    if (this.#drawn === key) return;
    this.#drawn = key;
    const title = titleOf(value);
    this.#title.textContent = title;
    for (const control of [this.move, this.resize, ...this.#buttons]) control.setAttribute('aria-label', `${control.title} ${title}`);
    this.node.setAttribute('aria-label', title);
    this.#body.replaceChildren(...bodyOf(value));
  }

  /** Tells that somebody else has just changed it. */
  flash() {
    this.node.classList.remove('changed');
    requestAnimationFrame(() => this.node.classList.add('changed'));
  }
}

/** @param {Record<string, any>} value */
export function titleOf(value) {
  const title = value.title ?? value.name;
  return typeof title === 'string' && title.trim() ? title : 'Untitled';
}

function bodyOf(value) {
  switch (value.kind) {
    case 'figure':
      return figure(value);
    case 'chart':
      return [chart(value.points), typeof value.text === 'string' && element('p', { class: 'small-print' }, value.text)].filter(Boolean);
    case 'note':
      return [element('p', { class: 'note-text' }, String(value.text ?? ''))];
    case 'list':
      return [element('ul', { class: 'entries' }, ...list(value.items).map((entry) => element('li', {}, textOf(entry))))];
    default:
      return [fields(value)];
  }
}

function figure({ value, unit, change, text }) {
  const size = element('p', { class: 'figure' }, element('strong', {}, textOf(value ?? '–')), unit && element('span', {}, textOf(unit)));
  const falls = /^\s*[-−]/.test(textOf(change));
  const trend = change !== undefined && element('p', { class: `trend ${falls ? 'down' : 'up'}` }, `${falls ? '▼' : '▲'} ${textOf(change)}`);
  return [size, trend, typeof text === 'string' && element('p', { class: 'small-print' }, text)].filter(Boolean);
}

function chart(points) {
  const numbers = list(points).map(Number).filter(Number.isFinite).slice(-POINTS_MAX);
  if (numbers.length < 2) return element('p', { class: 'empty' }, 'A chart needs two points at least.');
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const { width, height } = CHART;
  const x = (place) => (place / (numbers.length - 1)) * width;
  const y = (number) => 6 + (1 - (number - least) / (most - least || 1)) * (height - 12);
  const line = numbers.map((number, place) => `${place === 0 ? 'M' : 'L'}${x(place).toFixed(1)} ${y(number).toFixed(1)}`).join('');
  const svg = document.createElementNS(SVG, 'svg');
  const label = `From ${numbers[0]} to ${numbers.at(-1)}; least ${least}, most ${most}`;
  const attributes = { viewBox: `0 0 ${width} ${height}`, class: 'chart', preserveAspectRatio: 'none', role: 'img', 'aria-label': label };
  for (const [name, set] of Object.entries(attributes)) svg.setAttribute(name, set);
  for (const [kind, drawn] of [['area', `${line}L${width} ${height}L0 ${height}Z`], ['line', line]]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', kind);
    path.setAttribute('d', drawn);
    svg.append(path);
  }
  return svg;
}

function fields(value) {
  const rows = Object.entries(value).filter(([name]) => name !== 'title');
  if (rows.length === 0) return element('p', { class: 'empty' }, 'Nothing in it yet.');
  return element('dl', { class: 'fields' }, ...rows.flatMap(([name, set]) => [element('dt', {}, name), element('dd', {}, textOf(set))]));
}

function list(value) {
  return Array.isArray(value) ? value.slice(0, ENTRIES_MAX) : [];
}

/** A value as text. */
export function textOf(value) {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
