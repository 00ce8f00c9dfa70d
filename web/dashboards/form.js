// A widget's fields in a dialog, each for itself. While it is open, what others change shows up in the fields that
// were not touched, and is told beside those that were.

import { button, element } from '../dom.js';
import { isSame } from './board.js';
import { textOf, titleOf } from './card.js';

const NAME_CHARACTERS_MAX = 60;

/** The form of one widget. */
export class WidgetForm {
  node = element('dialog', { class: 'dialog widget-form', 'aria-labelledby': 'widget-title' });
  widgetId;
  #rows = new Map();
  #list = element('div', { class: 'widget-fields' });
  #name = element('input', { 'aria-label': 'New field', placeholder: 'New field', maxlength: String(NAME_CHARACTERS_MAX), autocomplete: 'off' });
  #title = element('h2', { id: 'widget-title' });

  /**
   * @param {string} widgetId
   * @param {Record<string, any>} value
   * @param {{saved: (changes: Record<string, any>) => void, left: () => void}} hooks
   */
  constructor(widgetId, value, { saved, left }) {
    this.widgetId = widgetId;
    this.#title.textContent = `Edit ${titleOf(value)}`;
    for (const [name, set] of Object.entries(value)) this.#add(name, set);
    let isSaved = false;
    const submitted = (event) => {
      event.preventDefault();
      const changes = this.#changes();
      if (changes === null) return;
      isSaved = true;
      this.node.close();
      saved(changes);
    };
    const adding = element('div', { class: 'field-adder' }, this.#name, button('Add field', () => this.#addNew(), { class: 'button small' }, 'plus'));
    const save = element('button', { type: 'submit', class: 'button primary' }, 'Save');
    const actions = element('div', { class: 'actions' }, button('Cancel', () => this.node.close()), save);
    this.node.append(element('form', { on: { submit: submitted } }, this.#title, this.#list, adding, actions));
    this.#name.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      this.#addNew();
    });
    this.node.addEventListener('close', () => {
      if (!isSaved) left();
      this.node.remove();
    });
  }

  open() {
    this.node.showModal();
    this.#list.querySelector('input, textarea')?.focus();
  }

  /** What the widget is now; what becomes of one that was deleted is asked when the form is sent. @param {Record<string, any>|undefined} value */
  refresh(value) {
    if (!value) return;
    for (const [name, row] of this.#rows) {
      const set = value[name];
      if (isSame(row.known, set)) continue;
      if (row.isTouched) row.hint.textContent = set === undefined ? 'Somebody has removed it meanwhile.' : `Somebody has set it to ${textOf(set)} meanwhile.`;
      else this.#set(row, set);
      row.known = set;
    }
    for (const [name, set] of Object.entries(value)) if (!this.#rows.has(name)) this.#add(name, set);
  }

  #add(name, set) {
    const id = `field-${this.#rows.size}`;
    const kind = kindOf(set);
    const input =
      kind === 'truth'
        ? element('input', { id, type: 'checkbox', class: 'tick' })
        : kind === 'number'
          ? element('input', { id, type: 'number', step: 'any' })
          : element('textarea', { id, rows: '1', spellcheck: String(kind === 'text') });
    const hint = element('small', { class: 'field-hint', role: 'status' });
    const row = { name, kind, input, hint, initial: set, known: set, isTouched: false, isRemoved: false };
    const remove = button('Remove', () => {
      row.isRemoved = !row.isRemoved;
      row.isTouched = true;
      row.node.classList.toggle('removed', row.isRemoved);
      input.disabled = row.isRemoved;
      const word = row.isRemoved ? 'Keep' : 'Remove';
      remove.querySelector('span').textContent = word;
      remove.setAttribute('aria-label', `${word} ${name}`);
    }, { class: 'button quiet small', 'aria-label': `Remove ${name}` });
    input.addEventListener('input', () => {
      row.isTouched = true;
      input.removeAttribute('aria-invalid');
    });
    const head = element('div', { class: 'field-head' }, element('label', { for: id }, name), kind === 'json' && element('small', {}, 'JSON'), remove);
    row.node = element('div', { class: 'field', 'data-field': name }, head, input, hint);
    this.#set(row, set);
    this.#rows.set(name, row);
    this.#list.append(row.node);
    return row;
  }

  #addNew() {
    const name = this.#name.value.trim();
    if (!name || this.#rows.has(name)) {
      this.#name.focus();
      return;
    }
    this.#name.value = '';
    const row = this.#add(name, '');
    row.initial = undefined;
    row.isTouched = true;
    row.input.focus();
  }

  #set(row, set) {
    row.initial = set;
    if (row.kind === 'truth') row.input.checked = set === true;
    else row.input.value = row.kind === 'json' ? JSON.stringify(set, null, 1) ?? '' : String(set ?? '');
  }

  /** What was changed; `null` when something is no JSON. */
  #changes() {
    const changes = {};
    for (const row of this.#rows.values()) {
      if (!row.isTouched) continue;
      const set = row.isRemoved ? null : read(row);
      if (set === undefined) {
        row.input.setAttribute('aria-invalid', 'true');
        row.hint.textContent = row.kind === 'number' ? 'This is no number.' : 'This is no JSON.';
        row.input.focus();
        return null;
      }
      if (row.isRemoved ? row.initial !== undefined : !isSame(set, row.initial)) changes[row.name] = set;
    }
    return changes;
  }
}

function kindOf(set) {
  if (typeof set === 'boolean') return 'truth';
  if (typeof set === 'number') return 'number';
  return typeof set === 'string' || set === undefined ? 'text' : 'json';
}

function read({ kind, input }) {
  if (kind === 'truth') return input.checked;
  if (kind === 'text') return input.value;
  if (kind === 'number') return input.value.trim() === '' || !Number.isFinite(Number(input.value)) ? undefined : Number(input.value);
  try {
    return JSON.parse(input.value);
  } catch {
    return undefined;
  }
}
