// The editor of a draft's text: plain text in which lines that begin with `#` stand out. It lives in a shadow root,
// because there its styles need no permission of the page.

import {
  Compartment,
  Decoration,
  EditorState,
  EditorView,
  UndoManager,
  ViewPlugin,
  defaultKeymap,
  drawSelection,
  keymap,
  placeholder,
  yCollab,
  yUndoManagerKeymap,
} from '../editor/libraries.js';
import { element } from '../dom.js';
import { cursors } from './cursors.js';
import { marks, remark } from './marks.js';
import { rangeOf } from './places.js';

/** Lines longer than this are no headings. */
const HEADING_CHARACTERS_MAX = 200;
const TONES = ['#1f6b62', '#8a4b2d', '#4a5a8c', '#7a3f63', '#55682f', '#6b5a2a'];

/** An editor. */
export class TextEditor {
  node = element('div', { class: 'text', 'data-testid': 'text' });
  #text;
  #view;
  #writable = new Compartment();
  #undo;

  /**
   * @param {import('./draft.js').Draft} draft
   * @param {{selected: (range: {from: number, to: number}) => void, pressed: (threadId: string) => void, remark: () => void}} hooks
   */
  constructor(draft, hooks) {
    this.#text = draft.text;
    this.#undo = new UndoManager(draft.text);
    const root = this.node.attachShadow({ mode: 'open' });
    const pressed = (event) => {
      const thread = event.target.closest?.('.remark')?.dataset.thread;
      if (thread) hooks.pressed(thread);
    };
    const state = EditorState.create({
      doc: draft.text.toString(),
      extensions: [
        EditorState.lineSeparator.of('\n'),
        EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, '\n')),
        this.#writable.of(writable(false)),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'Text of the draft', 'aria-multiline': 'true', spellcheck: 'true' }),
        drawSelection(),
        placeholder('Write here…'),
        headings,
        // First the text of the draft is changed, then places in it are looked up.
        yCollab(draft.text, null, { undoManager: this.#undo }),
        marks(draft.text, draft.threads),
        cursors(draft.text, draft.awareness),
        keymap.of([{ key: 'Mod-Alt-m', run: () => hooks.remark() ?? true }, ...yUndoManagerKeymap, ...defaultKeymap]),
        EditorView.domEventHandlers({ click: pressed }),
        EditorView.updateListener.of((update) => {
          if (update.selectionSet || update.docChanged) hooks.selected(this.selection);
        }),
        LOOKS,
      ],
    });
    this.#view = new EditorView({ state, parent: root, root });
  }

  /** @returns {{from: number, to: number}} */
  get selection() {
    const { from, to } = this.#view.state.selection.main;
    return { from, to };
  }

  /** @returns {string} what is selected */
  get quote() {
    const { from, to } = this.selection;
    return this.#view.state.sliceDoc(from, to);
  }

  /** @param {boolean} isWritable */
  setWritable(isWritable) {
    if (this.#view.state.readOnly === !isWritable) return;
    this.#view.dispatch({ effects: this.#writable.reconfigure(writable(isWritable)) });
  }

  /** Marks the threads as they are now. @param {string|null} looked the thread that is looked at */
  remark(looked) {
    this.#view.dispatch({ annotations: remark.of({ looked }) });
  }

  /** Brings the place of a thread into view. */
  show(anchor) {
    const range = rangeOf(this.#text, anchor);
    if (!range || range.to > this.#view.state.doc.length) return;
    this.#view.dispatch({ effects: EditorView.scrollIntoView(range.from, { y: 'center' }) });
  }

  focus() {
    this.#view.focus();
  }

  close() {
    this.#view.destroy();
    this.#undo.destroy();
  }
}

function writable(isWritable) {
  return [EditorState.readOnly.of(!isWritable), EditorView.editable.of(isWritable), EditorView.contentAttributes.of({ tabindex: '0' })];
}

/** Lines that are headings, as far as they are in view. */
const headings = ViewPlugin.fromClass(
  class {
    constructor(view) {
      this.decorations = headingLines(view);
    }

    update(update) {
      if (update.docChanged || update.viewportChanged) this.decorations = headingLines(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

function headingLines(view) {
  const ranges = [];
  for (const { from, to } of view.visibleRanges) {
    for (let at = from; at <= to; ) {
      const line = view.state.doc.lineAt(at);
      const level = line.length <= HEADING_CHARACTERS_MAX ? /^(#{1,3}) /.exec(line.text)?.[1].length : undefined;
      if (level) {
        ranges.push(Decoration.line({ class: `heading-${level}` }).range(line.from));
        ranges.push(Decoration.mark({ class: 'sign' }).range(line.from, line.from + level));
      }
      at = line.to + 1;
    }
  }
  return Decoration.set(ranges);
}

const tones = Object.fromEntries(
  TONES.flatMap((colour, tone) => [
    [`.caret.tone-${tone}`, { borderColor: colour }],
    [`.caret.tone-${tone} .flag`, { backgroundColor: colour }],
    [`.selected.tone-${tone}`, { backgroundColor: `${colour}40` }],
  ]),
);

const LOOKS = EditorView.theme({
  '&': { color: 'var(--ink)', fontFamily: 'var(--serif)', fontSize: '1.075rem', minHeight: '100%' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'inherit', lineHeight: '1.75', overflow: 'visible' },
  '.cm-content': { padding: '0 0 40vh', caretColor: 'var(--accent)' },
  '.cm-line': { padding: '0' },
  '.cm-cursor': { borderLeft: '2px solid var(--accent)' },
  '.cm-placeholder': { color: 'var(--muted)', fontStyle: 'italic' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { background: 'var(--accent-soft)' },
  '.heading-1': { fontSize: '1.7rem', lineHeight: '1.35', fontWeight: '600', letterSpacing: '-0.01em' },
  '.heading-2': { fontSize: '1.35rem', lineHeight: '1.5', fontWeight: '600' },
  '.heading-3': { fontWeight: '600' },
  '.sign': { color: 'var(--muted)', fontWeight: '400', opacity: '0.6' },
  '.remark': { borderBottom: '2px solid var(--mark)', backgroundColor: 'var(--mark-soft)', cursor: 'pointer' },
  '.remark.looked': { backgroundColor: 'var(--mark-strong)' },
  '.caret': { position: 'relative', borderLeft: '2px solid', marginLeft: '-1px', marginRight: '-1px' },
  '.flag': {
    position: 'absolute',
    left: '-2px',
    top: '-1.25em',
    padding: '1px 6px',
    borderRadius: '6px 6px 6px 0',
    color: '#fff',
    font: '600 0.7rem/1.35 var(--sans)',
    letterSpacing: '0',
    whiteSpace: 'nowrap',
    userSelect: 'none',
    pointerEvents: 'none',
    zIndex: '3',
  },
  ...tones,
});
