// The places that comments speak of, marked in the text.

import { Annotation, Decoration, ViewPlugin } from '../editor/libraries.js';
import { rangeOf } from './places.js';

/** How many threads are marked. */
const MARKS_MAX = 200;

/** Put on a transaction when the threads have changed; holds the one that is looked at. */
export const remark = Annotation.define();

/**
 * What marks the open threads in the editor of a text.
 * @param {any} text
 * @param {import('./threads.js').Threads} threads
 */
export function marks(text, threads) {
  return ViewPlugin.define((view) => new Marks(view, text, threads), { decorations: (plugin) => plugin.decorations });
}

class Marks {
  #text;
  #threads;
  #looked = null;

  constructor(view, text, threads) {
    this.#text = text;
    this.#threads = threads;
    this.decorations = this.#draw(view.state);
  }

  update(update) {
    const told = update.transactions.map((transaction) => transaction.annotation(remark)).filter((looked) => looked !== undefined);
    if (told.length > 0) this.#looked = told.at(-1).looked;
    if (told.length > 0 || update.docChanged) this.decorations = this.#draw(update.state);
  }

  #draw(state) {
    const ranges = [];
    for (const { threadId, anchor } of this.#threads.open.slice(0, MARKS_MAX)) {
      const range = rangeOf(this.#text, anchor);
      if (!range || range.from === range.to || range.to > state.doc.length) continue;
      const attributes = { 'data-thread': threadId };
      const mark = Decoration.mark({ class: threadId === this.#looked ? 'remark looked' : 'remark', attributes });
      ranges.push(mark.range(range.from, range.to));
    }
    return Decoration.set(ranges, true);
  }
}
