// What there is to know about a dashboard, above it: whether it is open, conflicts, what was refused, and what was said.

import { button, element, notice } from '../dom.js';
import { textOf, titleOf } from './card.js';

/** How many messages stand there at once, and how much of each. */
const MESSAGES_MAX = 4;
const MESSAGE_CHARACTERS_MAX = 300;
/** How much of a value that was refused is shown. */
const VALUE_CHARACTERS_MAX = 2_000;

/**
 * @typedef {{retry: () => void, signIn: (why: string) => void, decide: (conflict: any) => void, dismiss: (id: string) => void}} Hooks
 */

/** The notices of one dashboard. */
export class BoardNotices {
  node = element('div', { class: 'notices' });
  #hooks;
  #shown = '';
  /** @type {{text: string, tone: 'calm'|'trouble'}[]} the newest last */
  #messages = [];

  /** @param {Hooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /**
   * Says something until it is dismissed, or until more was said than there is room for.
   * @param {string} text
   * @param {'calm'|'trouble'} tone
   */
  say(text, tone) {
    this.#messages = [...this.#messages, { text: cut(text, MESSAGE_CHARACTERS_MAX), tone }].slice(-MESSAGES_MAX);
  }

  /** @param {import('./machine.js').Machine} machine */
  show(machine) {
    const { conflicts, state, trouble, board, refusals } = machine;
    const open = [...conflicts.values()].filter(({ isResolving }) => !isResolving);
    const said = [open.map(({ conflictId }) => conflictId), refusals.all.map((one) => [one.id, whatOf(one, board)]), this.#messages];
    const key = JSON.stringify([state === 'ended', trouble, ...said]);
    if (this.#shown === key) return;
    this.#shown = key;
    const notices = open.map((conflict) => this.#conflict(conflict, board));
    if (state === 'ended') notices.unshift(this.#ended(trouble));
    if (refusals.all.length > 0) notices.push(this.#refused(refusals.all, board));
    for (const message of this.#messages) {
      const dismissed = () => {
        this.#messages = this.#messages.filter((other) => other !== message);
        this.show(machine);
      };
      notices.push(notice(message.text, message.tone, button('Dismiss', dismissed, { class: 'button quiet small' })));
    }
    this.node.replaceChildren(...notices);
  }

  #ended(trouble) {
    const actions = [button('Try again', this.#hooks.retry), button('Sign in', () => this.#hooks.signIn(trouble))];
    return notice(`The dashboard is not open: ${trouble}.`, 'trouble', ...actions);
  }

  #conflict(conflict, board) {
    const known = conflict.current ?? board.widgets.get(conflict.widgetId);
    const what = conflict.widgetId === null ? 'The layout' : known ? titleOf(known.value) : 'A card';
    const decide = button('Decide', () => this.#hooks.decide(conflict), { class: 'button primary small' });
    return notice(`${what} was changed by you and by somebody else.`, 'calm', decide);
  }

  #refused(refused, board) {
    const count = refused.length === 1 ? 'A change was refused. This is what it said:' : `${refused.length} changes were refused. This is what they said:`;
    const all = button('Dismiss all', () => refused.forEach(({ id }) => this.#hooks.dismiss(id)), { class: 'button quiet small' });
    const shown = notice(count, 'trouble', ...(refused.length > 1 ? [all] : []));
    shown.append(element('ul', { class: 'refusals', 'data-testid': 'refusals' }, ...refused.map((one) => this.#refusal(one, board))));
    return shown;
  }

  #refusal(refused, board) {
    const what = whatOf(refused, board);
    const dismiss = button('Dismiss', () => this.#hooks.dismiss(refused.id), { class: 'button quiet small', 'aria-label': `Dismiss the refusal of ${what}` });
    const why = element('p', {}, element('strong', {}, what), `: ${refused.refusal.message ?? 'no reason was given'}`);
    const rows = Object.entries(valuesOf(refused)).flatMap(([name, value]) => [
      element('dt', {}, name),
      element('dd', {}, value === null ? 'removed' : cut(textOf(value), VALUE_CHARACTERS_MAX)),
    ]);
    return element('li', {}, why, dismiss, rows.length > 0 && element('dl', { class: 'fields' }, ...rows));
  }
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function whatOf({ kind, widgetId, changes }, board) {
  if (kind === 'layout' || kind === 'restore' || widgetId === null) return 'The layout';
  const title = titleOf({ ...changes, ...board.widgets.get(widgetId)?.value });
  return kind === 'delete' ? `The deletion of ${title}` : title;
}

/** The fields that were to be set; where widgets were to lie says nothing to anybody. */
function valuesOf({ changes, value, conflict, widgetId }) {
  return widgetId === null ? {} : (changes ?? value ?? conflict?.operation.changes ?? {});
}
