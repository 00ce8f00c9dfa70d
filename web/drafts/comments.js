// What is said about a draft, beside its text: open threads in the order of their places, a box for each answer, and
// those that are resolved below.

import { button, clock, element, portrait } from '../dom.js';
import { user } from '../session.js';
import { anchorOf, rangeOf } from './places.js';

const TEXT_CHARACTERS_MAX = 4_000;
const QUOTE_CHARACTERS_MAX = 90;

/** The panel of comments. */
export class CommentsPanel {
  node;
  #draft;
  #text;
  #looked = null;
  #showsResolved = false;
  #list = element('ol', { class: 'threads', 'data-testid': 'threads' });
  #begin = button('Comment on the selection', () => this.begin(), { class: 'button', disabled: true }, 'comment');
  #composer = element('div');
  /** What was written and not sent, by thread. */
  #written = new Map();

  /**
   * @param {import('./draft.js').Draft} draft
   * @param {import('./text.js').TextEditor} text
   */
  constructor(draft, text) {
    this.#draft = draft;
    this.#text = text;
    this.node = element('div', { class: 'comments' }, element('div', { class: 'panel-head' }, this.#begin), this.#composer, this.#list);
  }

  /** The selection has changed. */
  selected({ from, to }) {
    this.#begin.disabled = from === to || !this.#draft.isLoaded;
  }

  /** Begins a comment on what is selected. */
  begin() {
    const range = this.#text.selection;
    if (range.from === range.to) return;
    const about = { anchor: anchorOf(this.#draft.text, range), quote: this.#text.quote };
    const done = () => this.#composer.replaceChildren();
    const box = this.#box('new', 'Comment', 'What do you think?', (text) => {
      this.#draft.comment(text, about);
      done();
    });
    const cancel = button('Cancel', done, { class: 'button quiet small' });
    box.querySelector('.actions').prepend(cancel);
    this.#composer.replaceChildren(element('div', { class: 'thread new' }, quote(about.quote), box));
    box.querySelector('textarea').focus();
  }

  /** @param {string} threadId the thread to look at */
  look(threadId) {
    this.#looked = threadId;
    this.show();
    const shown = [...this.#list.children].find((item) => item.dataset.thread === threadId);
    shown?.scrollIntoView({ block: 'nearest' });
  }

  /** Brings the panel up to the draft. */
  show() {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.closest('[data-thread]')?.dataset.thread : null;
    const { threads } = this.#draft;
    const placed = threads.open.map((thread) => ({ thread, range: rangeOf(this.#draft.text, thread.anchor) }));
    placed.sort((one, other) => (one.range?.from ?? Infinity) - (other.range?.from ?? Infinity));
    const items = placed.map(({ thread, range }) => this.#thread(thread, range));
    const fresh = threads.unsent.filter(({ threadId }) => !threadId).map((comment) => this.#unsentThread(comment));
    const resolved = threads.all.filter((thread) => thread.resolved);
    if (items.length + fresh.length === 0) items.push(element('li', { class: 'empty' }, 'Select some text to comment on it.'));
    if (resolved.length > 0) items.push(this.#resolvedToggle(resolved.length));
    const looked = resolved.filter(({ threadId }) => this.#showsResolved || threads.isRefusedIn(threadId));
    items.push(...looked.map((thread) => this.#thread(thread, null)));
    this.#list.replaceChildren(...fresh, ...items);
    this.#text.remark(this.#looked);
    if (focused) this.#list.querySelector(`[data-thread="${CSS.escape(focused)}"] textarea`)?.focus();
  }

  #thread(thread, range) {
    const { threadId, resolved } = thread;
    const quoted = range && this.#draft.text.toString().slice(range.from, range.to);
    const unsent = this.#draft.threads.unsent.filter((comment) => comment.threadId === threadId);
    const ending = this.#draft.threads.endings.get(threadId);
    const look = () => {
      if (this.#looked === threadId) return;
      this.#looked = threadId;
      for (const item of this.#list.children) item.classList.toggle('looked', item.dataset.thread === threadId);
      this.#text.remark(threadId);
      this.#text.show(thread.anchor);
    };
    const word = ending && ending.refusal === null ? (ending.resolved ? 'Resolving…' : 'Opening…') : resolved ? 'Open again' : 'Resolve';
    const ended = () => this.#draft.resolve(threadId, !resolved);
    const end = button(word, ended, { class: 'button quiet small', disabled: ending?.refusal === null });
    const answer = (text) => this.#draft.comment(text, { threadId });
    const box = resolved ? null : this.#box(threadId, 'Answer', 'Answer…', answer);
    box?.querySelector('.actions').prepend(end);
    return element(
      'li',
      {
        class: `thread ${resolved ? 'resolved' : ''} ${threadId === this.#looked ? 'looked' : ''}`,
        'data-thread': threadId,
        on: { click: look, focusin: look },
      },
      quoted ? quote(quoted) : !resolved && element('p', { class: 'quote gone' }, 'The text that this was about is gone.'),
      element('ol', {}, ...thread.comments.map(said), ...unsent.map((comment) => this.#own(comment))),
      ending && this.#refusal(ending),
      box ?? element('div', { class: 'actions' }, end),
    );
  }

  #unsentThread(comment) {
    return element('li', { class: 'thread unsent' }, quote(comment.quote ?? ''), element('ol', {}, this.#own(comment)));
  }

  /** A comment of ours that is under way, or was refused. */
  #own(comment) {
    const shown = said({ ...comment, at: null });
    shown.lastElementChild.append(this.#refusal(comment) ?? '');
    return shown;
  }

  /** What can be done about a refusal, if it is one. */
  #refusal({ id, refusal }) {
    if (refusal === null) return null;
    const again = button('Try again', () => this.#draft.again(id), { class: 'button small' });
    const discard = button('Discard', () => this.#draft.discard(id), { class: 'button quiet small' });
    return element('div', { class: 'refusal' }, element('p', {}, `This was refused: ${refusal}`), element('div', { class: 'actions' }, again, discard));
  }

  #resolvedToggle(count) {
    const words = this.#showsResolved ? 'Hide what is resolved' : `Show ${count} resolved`;
    const pressed = () => {
      this.#showsResolved = !this.#showsResolved;
      this.show();
    };
    return element('li', {}, button(words, pressed, { class: 'button quiet small', 'aria-expanded': String(this.#showsResolved) }));
  }

  /** A box to write in; what is written stays there while the panel is drawn anew. */
  #box(key, label, hint, send) {
    const box = element('textarea', { rows: '1', 'aria-label': label, placeholder: hint, maxlength: String(TEXT_CHARACTERS_MAX) });
    const submit = element('button', { type: 'submit', class: 'button primary small' }, 'Send');
    box.value = this.#written.get(key) ?? '';
    const written = () => {
      if (box.value) this.#written.set(key, box.value);
      else this.#written.delete(key);
      submit.disabled = box.value.trim() === '';
    };
    written();
    const submitted = (event) => {
      event.preventDefault();
      const text = box.value.trim();
      if (!text) return;
      this.#written.delete(key);
      box.value = '';
      send(text);
    };
    const pressed = (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      submitted(event);
    };
    return element(
      'form',
      { class: 'answer', on: { submit: submitted, input: written, keydown: pressed } },
      box,
      element('div', { class: 'actions' }, submit),
    );
  }
}

function quote(text) {
  const short = text.length > QUOTE_CHARACTERS_MAX ? `${text.slice(0, QUOTE_CHARACTERS_MAX)}…` : text;
  return element('p', { class: 'quote' }, short);
}

function said({ userId, name, text, at, refusal = null }) {
  const shown = name || userId;
  return element(
    'li',
    { class: `said-about ${at || refusal !== null ? '' : 'unsent'}`, 'data-mine': String(userId === user()?.id) },
    portrait(shown, userId),
    element(
      'div',
      {},
      element('p', { class: 'who' }, element('strong', {}, shown), at ? element('time', { datetime: at }, clock(at)) : element('small', {}, refusal === null ? 'sending…' : 'not sent')),
      element('p', { class: 'what' }, text),
    ),
  );
}
