// How a draft came to be: who wrote when, what it was then, and a way back.

import { button, clock, element, notice, portrait } from '../dom.js';
import { Doc, applyUpdate } from '../editor/libraries.js';
import { fetchJson, fetchOctets, postJson } from '../rest.js';
import { difference } from './difference.js';
import { ROOT } from './draft.js';

/** How long after a change it is asked for anew. */
const REFRESH_MS = 1_000;

/** The panel of the history. */
export class HistoryPanel {
  node;
  #draft;
  #shown;
  #list = element('ol', { class: 'runs', 'data-testid': 'runs' });
  #more = button('Show earlier changes', () => this.#load(this.#oldest), { class: 'button quiet small', hidden: true });
  /** @type {Map<number, any>} runs by where they begin */
  #runs = new Map();
  #isWatched = false;
  #asked = 0;
  #looked = null;
  #requests = 0;

  /**
   * @param {import('./draft.js').Draft} draft
   * @param {{shown: (preview: HTMLElement|null) => void}} hooks
   */
  constructor(draft, { shown }) {
    this.#draft = draft;
    this.#shown = shown;
    this.node = element('div', { class: 'history' }, this.#list, this.#more);
  }

  /** @param {boolean} isWatched */
  watch(isWatched) {
    if (this.#isWatched === isWatched) return;
    this.#isWatched = isWatched;
    if (isWatched) this.#load();
    else this.#leaveVersion();
  }

  /** Something may have been added. */
  refresh() {
    if (!this.#isWatched || this.#asked) return;
    this.#asked = setTimeout(() => {
      this.#asked = 0;
      if (this.#isWatched) this.#load();
    }, REFRESH_MS);
  }

  close() {
    clearTimeout(this.#asked);
    this.#isWatched = false;
  }

  get #path() {
    return `/api/drafts/${encodeURIComponent(this.#draft.id)}`;
  }

  /** Where the oldest run begins that is known. */
  get #oldest() {
    return Math.min(...this.#runs.keys());
  }

  /** @param {number} [before] asks for what came before this; else for the newest */
  async #load(before) {
    try {
      const { runs, hasMore } = await fetchJson(`${this.#path}/history${before ? `?before=${before}` : ''}`);
      // Earlier pages stay as they are, unless the newest does not reach to them.
      if (!before && runs.every(({ fromSeq }) => !this.#runs.has(fromSeq))) this.#runs.clear();
      const isFurther = this.#runs.size === 0 || before;
      for (const run of runs) this.#runs.set(run.fromSeq, run);
      if (isFurther) this.#more.hidden = !hasMore;
      const newestFirst = [...this.#runs.values()].sort((one, other) => other.toSeq - one.toSeq);
      const rows = newestFirst.map((run) => this.#row(run));
      this.#list.replaceChildren(...(rows.length > 0 ? rows : [element('li', { class: 'empty' }, 'Nothing was written yet.')]));
    } catch (error) {
      this.#list.replaceChildren(element('li', {}, notice(error.message, 'trouble', button('Try again', () => this.#load()))));
    }
  }

  #row(run) {
    const name = run.name || run.userId;
    const words = run.updates === 1 ? 'one change' : `${run.updates} changes`;
    const isLooked = run.toSeq === this.#looked;
    const pressed = () => this.#look(run, name);
    const attributes = { type: 'button', class: 'run', 'aria-pressed': String(isLooked), 'data-seq': run.toSeq, on: { click: pressed } };
    return element(
      'li',
      {},
      element(
        'button',
        attributes,
        portrait(name, run.userId),
        element('span', {}, element('strong', {}, name), element('small', {}, `${clock(run.endedAt)} · ${words}`)),
      ),
    );
  }

  /** Shows the text as it was after a run. */
  async #look(run, name) {
    this.#mark(run.toSeq);
    this.#requests += 1;
    const request = this.#requests;
    const version = element('div', { class: 'version', 'data-testid': 'version', 'aria-busy': 'true' }, element('p', { class: 'empty' }, 'Loading…'));
    this.#shown(version);
    try {
      const text = await this.#textAt(run.toSeq);
      const before = run.fromSeq > 1 ? await this.#textAt(run.fromSeq - 1) : '';
      if (request === this.#requests) this.#showVersion(version, run, name, difference(before, text));
    } catch (error) {
      const back = button('Back to the draft', () => this.#leaveVersion());
      version.replaceChildren(notice(`This version could not be had: ${error.message}`, 'trouble', back));
    }
    version.setAttribute('aria-busy', 'false');
  }

  async #textAt(seq) {
    return textOf(await fetchOctets(`${this.#path}/versions/${seq}`));
  }

  /** Shows a version as it came to be: with what its run has added, and what it took away. */
  #showVersion(version, run, name, parts) {
    const problem = element('div', { class: 'notices' });
    const restore = button('Restore this version', () => this.#restore(run.toSeq, restore, problem), { class: 'button primary' });
    restore.disabled = this.#draft.isReadOnly;
    const back = button('Back to the draft', () => this.#leaveVersion());
    const head = element(
      'div',
      { class: 'version-head' },
      element('p', {}, `After ${name}’s changes, ${clock(run.endedAt)}`),
      element('div', { class: 'actions' }, back, restore),
    );
    const text = parts.filter(({ kind }) => kind !== 'removed').map((part) => part.text).join('');
    const same = text === this.#draft.text.toString() ? [element('p', { class: 'empty' }, 'The text is the same now.')] : [];
    const marked = parts.map((part) => (part.kind === 'same' ? part.text : element(part.kind === 'added' ? 'ins' : 'del', {}, part.text)));
    version.replaceChildren(head, problem, ...same, element('div', { class: 'version-text', tabindex: '0' }, ...marked));
    back.focus();
  }

  async #restore(seq, restore, problem) {
    restore.disabled = true;
    try {
      await postJson(`${this.#path}/restore`, { seq });
      this.#leaveVersion();
      this.#load();
    } catch (error) {
      problem.replaceChildren(notice(`It was not restored: ${error.message}`, 'trouble'));
      restore.disabled = false;
    }
  }

  #leaveVersion() {
    this.#requests += 1;
    this.#mark(null);
    this.#shown(null);
  }

  #mark(seq) {
    this.#looked = seq;
    for (const row of this.#list.querySelectorAll('.run')) row.setAttribute('aria-pressed', String(Number(row.dataset.seq) === seq));
  }
}

function textOf(state) {
  const version = new Doc();
  applyUpdate(version, state);
  const text = version.getText(ROOT).toString();
  version.destroy();
  return text;
}
