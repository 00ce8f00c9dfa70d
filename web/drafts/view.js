// One draft on the page: its text in the middle, who is here and whether all is saved above it, and at the side what
// is said about it and how it came to be.

import { button, element, icon, notice, portrait } from '../dom.js';
import { user } from '../session.js';
import { CommentsPanel } from './comments.js';
import { Draft, ROOT } from './draft.js';
import { HistoryPanel } from './history.js';
import { TextEditor } from './text.js';

/** How many portraits stand in the bar. */
const PORTRAITS_MAX = 5;
/** @type {Map<string, Draft>} those that were left while something was not saved */
const unsaved = new Map();

/** The draft of this id: the one that was left, or a new one. */
function take(id) {
  const key = JSON.stringify([user()?.id, id]);
  const left = unsaved.get(key);
  unsaved.delete(key);
  return left ?? new Draft(id);
}

/** Closes a draft, but not before all of it is saved. */
function letGo(draft) {
  if (!draft.isUnsaved || draft.connection === 'refused') {
    draft.close();
    return;
  }
  const key = JSON.stringify([user()?.id, draft.id]);
  unsaved.set(key, draft);
  draft.listen(() => {
    if (draft.isUnsaved || unsaved.get(key) !== draft) return;
    unsaved.delete(key);
    draft.close();
  });
}

/** Shows a draft. */
export class DraftView {
  node;
  #draft;
  #go;
  #text;
  #comments;
  #history;
  #heading = element('h1', { tabindex: '-1' });
  #saved = element('span', { class: 'saved', role: 'status', 'data-testid': 'saved' });
  #people = element('ul', { class: 'portraits', 'data-testid': 'people', 'aria-label': 'Who is here' });
  #notices = element('div', { class: 'notices' });
  #sheet = element('div', { class: 'sheet' });
  #panel = element('aside', { class: 'panel', 'aria-label': 'Beside the text' });
  #tabs = new Map();
  #keys = { people: '', notice: '', saved: '' };
  #tab = 'comments';
  /** @type {(() => void)|null} */
  #whenOpen;

  /**
   * @param {string} id
   * @param {{signIn: (why: string) => void}} go
   * @param {() => void} whenOpen called once the draft was had
   */
  constructor(id, go, whenOpen) {
    this.#go = go;
    this.#whenOpen = whenOpen;
    this.#draft = take(id);
    this.#heading.textContent = id;
    this.#text = new TextEditor(this.#draft, {
      selected: (range) => this.#comments?.selected(range),
      pressed: (threadId) => {
        this.#showTab('comments');
        this.#comments.look(threadId);
      },
      remark: () => this.#remark(),
    });
    this.#comments = new CommentsPanel(this.#draft, this.#text);
    this.#history = new HistoryPanel(this.#draft, { shown: (preview) => this.#preview(preview) });
    this.#sheet.append(this.#text.node);
    const body = element('div', { class: 'room-body' }, element('div', { class: 'scroll desk' }, this.#sheet), this.#panel);
    this.node = element('section', { class: 'room draft', 'data-testid': 'draft' }, this.#bar(), this.#notices, body);
    this.#draft.listen((what) => this.#show(what));
    this.#showTab(innerWidth > 1000 ? 'comments' : '');
    this.#show('threads');
    this.#show('state');
  }

  /** The name, when it is known. */
  named(name) {
    this.#heading.textContent = name;
  }

  leave() {
    this.#history.close();
    this.#text.close();
    letGo(this.#draft);
  }

  #bar() {
    const tab = (name, label, drawing) => {
      const pressed = () => this.#showTab(this.#tab === name ? '' : name);
      const count = element('span', { class: 'count' });
      const attributes = { type: 'button', class: 'button quiet', 'aria-expanded': 'false', on: { click: pressed } };
      const node = element('button', attributes, icon(drawing), element('span', {}, label), count);
      this.#tabs.set(name, { node, count });
      return node;
    };
    return element(
      'header',
      { class: 'bar' },
      element('a', { class: 'button quiet to-rooms', href: '#/drafts', 'aria-label': 'All drafts' }, icon('back')),
      this.#heading,
      this.#saved,
      this.#people,
      tab('comments', 'Comments', 'comment'),
      tab('history', 'History', 'clock'),
    );
  }

  #showTab(name) {
    this.#tab = name;
    for (const [known, { node }] of this.#tabs) node.setAttribute('aria-expanded', String(known === name));
    this.#panel.hidden = name === '';
    this.#panel.replaceChildren(...(name === 'comments' ? [this.#comments.node] : name === 'history' ? [this.#history.node] : []));
    this.#history.watch(name === 'history');
  }

  #remark() {
    this.#showTab('comments');
    this.#comments.begin();
  }

  /** @param {HTMLElement|null} preview of an earlier version, in place of the text */
  #preview(preview) {
    this.#sheet.replaceChildren(preview ?? this.#text.node);
    this.#sheet.parentElement.scrollTop = 0;
  }

  #show(what) {
    if (what === 'threads') {
      this.#comments.show();
      this.#tabs.get('comments').count.textContent = this.#draft.threads.open.length || '';
      return;
    }
    const { isLoaded, isReadOnly, connection } = this.#draft;
    const isWritable = isLoaded && !isReadOnly && connection !== 'refused';
    if (isLoaded) this.#whenOpen?.();
    if (isLoaded) this.#whenOpen = null;
    this.#sheet.classList.toggle('loading', !isLoaded);
    this.#text.setWritable(isWritable);
    this.#showSaved();
    this.#showPeople();
    this.#showNotice();
    if (!this.#draft.isTextUnsaved) this.#history.refresh();
  }

  #showSaved() {
    const [state, words] = savedState(this.#draft);
    if (this.#keys.saved === state) return;
    this.#keys.saved = state;
    this.#saved.dataset.state = state;
    this.#saved.textContent = words;
  }

  #showPeople() {
    this.#people.classList.toggle('unknown', this.#draft.connection !== 'open');
    const people = this.#draft.people.map(({ userId, name }) => ({ id: userId, name: name || userId }));
    const key = JSON.stringify(people);
    if (this.#keys.people === key) return;
    this.#keys.people = key;
    const shown = people.slice(0, PORTRAITS_MAX).map(({ id, name }) =>
      element('li', { title: name, 'data-user': id }, portrait(name, id), element('span', { class: 'unseen' }, name)),
    );
    const more = people.length - shown.length;
    this.#people.replaceChildren(...shown, ...(more > 0 ? [element('li', { class: 'more' }, `+${more}`)] : []));
  }

  #showNotice() {
    const { connection, trouble, complaint } = this.#draft;
    const others = [...this.#draft.document.share.keys()].filter((root) => root !== ROOT);
    const key = JSON.stringify([connection === 'refused', trouble, complaint, others]);
    if (this.#keys.notice === key) return;
    this.#keys.notice = key;
    const notices = [];
    if (connection === 'refused') {
      const actions = [button('Try again', () => this.#draft.connectNow()), button('Sign in', () => this.#go.signIn(trouble))];
      notices.push(notice(`The draft is not open: ${trouble}.`, 'trouble', ...actions));
    }
    if (complaint) notices.push(notice(complaint, 'trouble'));
    if (others.length > 0) {
      notices.push(notice(`This draft also holds ${others.join(', ')}, which this editor does not show.`, 'calm'));
    }
    this.#notices.replaceChildren(...notices);
  }
}

function savedState({ connection, isLoaded, isReadOnly, isUnsaved, isTextUnsaved, threads }) {
  if (connection === 'refused') return ['refused', ''];
  if (!isLoaded) return ['loading', 'Loading…'];
  if (connection !== 'open') return isUnsaved ? ['kept', 'Offline: changes are kept here'] : ['offline', 'Offline'];
  if (threads.isRefused && !isTextUnsaved) return ['unsaid', 'A comment was refused'];
  if (isReadOnly && !isUnsaved) return ['readonly', 'Read only'];
  return isUnsaved ? ['saving', 'Saving…'] : ['saved', 'Saved'];
}
