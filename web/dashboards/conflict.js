// Two have changed the same: what is yours, what is theirs, and which of it is to stay.

import { button, element } from '../dom.js';
import { changed } from './board.js';
import { textOf, titleOf } from './card.js';
import { miniature } from './earlier.js';

/**
 * A dialog about a conflict.
 * @param {import('./operations.js').Conflict} conflict
 * @param {(resolution: 'mine'|'theirs'|'merged', value?: any) => void} decided
 * @returns {HTMLElement} not yet open
 */
export function conflictDialog(conflict, decided) {
  const { widgetId, current, operation } = conflict;
  const theirs = current?.value ?? null;
  const mine = operation.kind === 'delete' ? null : changed(theirs ?? {}, operation.changes ?? operation.moves ?? {});
  const title = widgetId === null ? 'the layout' : theirs ? titleOf(theirs) : 'a card';
  const dialog = element('dialog', { class: 'dialog conflict-dialog', 'aria-labelledby': 'conflict-title', 'data-testid': 'conflict' });
  const end = (resolution, value) => {
    dialog.close();
    decided(resolution, value);
  };
  const isByField = widgetId !== null && operation.kind === 'update' && theirs !== null;
  const choices = isByField ? new Choices(conflict, theirs) : null;
  const actions = [
    button('Later', () => dialog.close(), { class: 'button quiet' }),
    button('Take theirs', () => end('theirs')),
    button('Keep mine', () => end('mine'), { class: isByField ? 'button' : 'button primary' }),
  ];
  if (choices) actions.push(button('Use what is chosen', () => end('merged', choices.value()), { class: 'button primary' }));
  const by = current?.updatedBy ? ` by ${current.updatedBy}` : '';
  dialog.append(
    element('h2', { id: 'conflict-title' }, `Two versions of ${title}`),
    element('p', { class: 'lead' }, theirs === null && widgetId !== null ? 'It was deleted while you changed it.' : `It was changed${by} since you saw it.`),
    choices ? choices.node : widgetId === null ? layouts(current, operation) : sides(operation, theirs),
    element('div', { class: 'actions' }, ...actions),
  );
  dialog.addEventListener('close', () => dialog.remove());
  return dialog;
}

/** Yours or theirs, field by field. */
class Choices {
  node;
  #theirs;
  #changes;
  #boxes = new Map();

  constructor({ operation, fields }, theirs) {
    this.#theirs = theirs;
    this.#changes = operation.changes;
    const names = [...new Set([...fields, ...Object.keys(operation.changes)])];
    const rows = names.filter((name) => name in operation.changes).map((name) => this.#row(name, fields.includes(name)));
    const head = element('tr', {}, ...['Field', 'Yours', 'Theirs'].map((word) => element('th', { scope: 'col' }, word)));
    this.node = element('table', { class: 'choices' }, element('thead', {}, head), element('tbody', {}, ...rows));
  }

  /** @returns {Record<string, any>} the widget as it was chosen */
  value() {
    const chosen = [...this.#boxes].filter(([, box]) => box.checked).map(([name]) => [name, this.#changes[name]]);
    return changed(this.#theirs, Object.fromEntries(chosen));
  }

  #row(name, isContested) {
    const choice = (side, set, checked) => {
      const box = element('input', { type: 'radio', name: `choice-${name}`, value: side, checked });
      if (side === 'mine') this.#boxes.set(name, box);
      return element('td', {}, element('label', { class: 'choice' }, box, element('span', {}, set === null ? 'removed' : textOf(set))));
    };
    return element(
      'tr',
      { class: isContested ? 'contested' : '', 'data-field': name },
      element('th', { scope: 'row' }, name),
      choice('mine', this.#changes[name], !isContested),
      choice('theirs', this.#theirs[name] ?? null, isContested),
    );
  }
}

function sides(operation, theirs) {
  const yours = operation.kind === 'delete' ? 'You have deleted it.' : Object.entries(operation.changes).map(([name, set]) => `${name}: ${textOf(set)}`).join('\n');
  const other = theirs === null ? 'They have deleted it.' : Object.entries(theirs).map(([name, set]) => `${name}: ${textOf(set)}`).join('\n');
  const side = (word, text) => element('div', {}, element('h3', {}, word), element('p', {}, text));
  return element('div', { class: 'sides' }, side('Yours', yours), side('Theirs', other));
}

function layouts(current, operation) {
  const mine = changed(current?.value ?? {}, operation.moves ?? {});
  const side = (word, value) => element('div', {}, element('h3', {}, word), miniature(value));
  return element('div', { class: 'sides' }, side('Yours', mine), side('Theirs', current?.value ?? {}));
}
