// The others' cursors and selections, with their names, and ours told to them. In the form that editors with a
// binding to Yjs share: `{user: {name, color}, cursor: {anchor, head}}`. Tones are classes, because the page takes
// no styles but its own.

import {
  Annotation,
  Decoration,
  ViewPlugin,
  WidgetType,
  compareRelativePositions,
  createRelativePositionFromJSON,
  createRelativePositionFromTypeIndex,
} from '../editor/libraries.js';
import { element, toneOf } from '../dom.js';
import { cursorOf } from './places.js';

const NAME_CHARACTERS_MAX = 40;
/** How many others are shown. */
const CURSORS_MAX = 50;

const moved = Annotation.define();

class Caret extends WidgetType {
  constructor(name, tone) {
    super();
    this.name = name;
    this.tone = tone;
  }

  eq(other) {
    return other.name === this.name && other.tone === this.tone;
  }

  toDOM() {
    const flag = element('span', { class: 'flag' }, this.name);
    // The word joiners keep the line as high as it is without it.
    return element('span', { class: `caret tone-${this.tone}`, 'data-name': this.name, 'aria-hidden': 'true' }, '\u2060', flag, '\u2060');
  }

  ignoreEvent() {
    return true;
  }
}

/**
 * What shows cursors in the editor of a text.
 * @param {any} text
 * @param {any} awareness
 */
export function cursors(text, awareness) {
  return ViewPlugin.define((view) => new Cursors(view, text, awareness), { decorations: (plugin) => plugin.decorations });
}

class Cursors {
  #view;
  #text;
  #awareness;

  constructor(view, text, awareness) {
    this.#view = view;
    this.#text = text;
    this.#awareness = awareness;
    this.#awareness.on('change', this.#heard);
    this.decorations = this.#draw(view.state);
  }

  update(update) {
    const isMoved = update.transactions.some((transaction) => transaction.annotation(moved));
    if (update.selectionSet || update.docChanged || update.focusChanged) this.#tell(update.state.selection.main, update.view.hasFocus);
    if (update.docChanged || isMoved) this.decorations = this.#draw(update.state);
  }

  destroy() {
    this.#awareness.off('change', this.#heard);
  }

  #heard = ({ added, updated, removed }) => {
    const own = this.#awareness.clientID;
    if ([...added, ...updated, ...removed].every((id) => id === own)) return;
    this.#view.dispatch({ annotations: moved.of(true) });
  };

  /** The cursor stays where it was when the person turns to another window. */
  #tell({ anchor, head }, hasFocus) {
    const told = this.#awareness.getLocalState()?.cursor;
    if (!hasFocus && !told) return;
    const cursor = {
      anchor: createRelativePositionFromTypeIndex(this.#text, anchor),
      head: createRelativePositionFromTypeIndex(this.#text, head),
    };
    const isSame = (name) => compareRelativePositions(createRelativePositionFromJSON(told[name]), cursor[name]);
    if (told && isSame('anchor') && isSame('head')) return;
    this.#awareness.setLocalStateField('cursor', cursor);
  }

  #draw(state) {
    const shown = [...this.#awareness.getStates()].filter(([client]) => client !== this.#awareness.clientID).slice(0, CURSORS_MAX);
    const ranges = [];
    for (const [, told] of shown) {
      const cursor = cursorOf(this.#text, told.cursor);
      if (!cursor || Math.max(cursor.anchor, cursor.head) > state.doc.length) continue;
      const name = String(told.user?.name || 'Somebody').slice(0, NAME_CHARACTERS_MAX);
      const tone = toneOf(String(told.user?.id || name));
      const [from, to] = [Math.min(cursor.anchor, cursor.head), Math.max(cursor.anchor, cursor.head)];
      if (from < to) ranges.push(Decoration.mark({ class: `selected tone-${tone}` }).range(from, to));
      ranges.push(Decoration.widget({ widget: new Caret(name, tone), side: cursor.head > cursor.anchor ? -1 : 1 }).range(cursor.head));
    }
    return Decoration.set(ranges, true);
  }
}
