// One dashboard on the page: its widgets where they lie, the state of the connection and what waits above them, and
// what two have changed at once.

import { announce, button, element, icon } from '../dom.js';
import { user } from '../session.js';
import { Card } from './card.js';
import { DashboardClient } from './client.js';
import { conflictDialog } from './conflict.js';
import { makeHandle } from './dragging.js';
import { earlierLayouts } from './earlier.js';
import { WidgetForm } from './form.js';
import { COLUMNS, arrange, difference, freePlace, moved, rowsOf } from './grid.js';
import { KINDS } from './kinds.js';
import { BoardNotices } from './notices.js';

const ROW_PX = 72;
const STATES = {
  connecting: 'Connecting…',
  open: 'Live',
  polling: 'Live, without a socket',
  waiting: 'Offline',
  ended: 'Not connected',
};
/** @type {Map<string, DashboardClient>} those that were left while something waited */
const unsent = new Map();

/** Shows a dashboard. */
export class DashboardView {
  node;
  #client;
  #key;
  #heading = element('h1', { tabindex: '-1' });
  #state = element('span', { class: 'saved', role: 'status', 'data-testid': 'state' });
  #notices;
  #board = element('div', { class: 'board', 'data-testid': 'board' });
  #panel = element('aside', { class: 'panel', 'aria-label': 'Earlier layouts', hidden: true });
  #empty = element('p', { class: 'empty board-empty' });
  #tools = element('div', { class: 'board-tools' });
  /** @type {Map<string, Card>} */
  #cards = new Map();
  /** @type {Map<string, import('./grid.js').Place>} where the widgets lie, as they are shown */
  #places = new Map();
  /** @type {{id: string, kind: string, wanted: Map<string, any>|null}|null} what is dragged */
  #drag = null;
  /** @type {{form: WidgetForm, id: string}|null} */
  #edit = null;
  #isReadOnly = false;
  #shownPanel = '';
  /** @type {(() => void)|null} */
  #whenOpen = null;

  /**
   * @param {string} id
   * @param {{signIn: (why: string) => void}} go
   */
  constructor(id, go) {
    this.#notices = new BoardNotices({
      retry: () => this.#client.connectNow(),
      signIn: go.signIn,
      decide: (conflict) => this.#decide(conflict),
      dismiss: (refused) => this.#client.dismiss(refused),
    });
    this.#key = JSON.stringify([user()?.id, id]);
    this.#heading.textContent = id;
    const body = element('div', { class: 'room-body' }, element('div', { class: 'scroll board-scroll' }, this.#empty, this.#board), this.#panel);
    this.node = element('section', { class: 'room dashboard', 'data-testid': 'dashboard' }, this.#bar(), this.#notices.node, body);
    const hooks = { changed: () => this.#soon(), told: (event) => this.#told(event) };
    const left = unsent.get(this.#key);
    unsent.delete(this.#key);
    this.#client = left ?? new DashboardClient(id, hooks);
    left?.listen(hooks);
    this.#show();
  }

  /** The name and the role, when they are known. */
  named(name, role) {
    this.#heading.textContent = name;
    this.#isReadOnly = role === 'viewer';
    this.#show();
  }

  /** @param {() => void} does once the dashboard was had */
  whenOpen(does) {
    this.#whenOpen = does;
  }

  leave() {
    this.#edit?.form.node.close();
    if (this.#machine.operations.pending.length === 0 || this.#machine.state === 'ended') this.#client.close();
    else letGo(this.#key, this.#client);
  }

  get #machine() {
    return this.#client.machine;
  }

  #bar() {
    const panel = button('Layouts', () => this.#togglePanel(panel), { class: 'button quiet', 'aria-expanded': 'false' }, 'clock');
    const choices = KINDS.map(({ kind, label, hint }) =>
      element(
        'button',
        { type: 'button', class: 'kind', on: { click: () => this.#create(kind, menu) } },
        element('strong', {}, label),
        element('small', {}, hint),
      ),
    );
    const menu = element(
      'details',
      { class: 'adder' },
      element('summary', { class: 'button quiet' }, icon('plus'), element('span', {}, 'Add')),
      element('div', { class: 'adder-card' }, ...choices),
    );
    menu.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') menu.open = false;
    });
    menu.addEventListener('focusout', (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
    });
    this.#tools.append(menu, panel);
    return element(
      'header',
      { class: 'bar' },
      element('a', { class: 'button quiet to-rooms', href: '#/dashboards', 'aria-label': 'All dashboards' }, icon('back')),
      this.#heading,
      this.#state,
      this.#tools,
    );
  }

  #togglePanel(control) {
    this.#panel.hidden = !this.#panel.hidden;
    control.setAttribute('aria-expanded', String(!this.#panel.hidden));
    this.#showPanel();
  }

  #isShowing = false;

  /** Many facts come at once; they are shown once. */
  #soon() {
    if (this.#isShowing) return;
    this.#isShowing = true;
    queueMicrotask(() => {
      this.#isShowing = false;
      this.#show();
    });
  }

  #show() {
    const { board, operations, conflicts, state } = this.#machine;
    const shown = operations.shownWidgets(board.widgets);
    const busy = new Set(operations.pending.map(({ widgetId }) => widgetId));
    const contested = new Set([...conflicts.values()].map(({ widgetId }) => widgetId));
    for (const [id, card] of this.#cards) {
      if (shown.has(id)) continue;
      if (this.#drag?.id === id) this.#drag = null;
      card.node.remove();
      this.#cards.delete(id);
    }
    for (const [id, { value }] of shown) {
      const card = this.#cards.get(id) ?? this.#newCard(id);
      card.show({ value, isPending: busy.has(id), isContested: contested.has(id), isReadOnly: this.#isReadOnly || state === 'ended' });
    }
    const ids = [...shown.keys()].sort();
    if (!this.#drag) this.#places = arrange(ids, operations.shownPlaces(board.layout));
    this.#lay(this.#drag?.wanted ?? this.#places);
    if (!this.#drag) this.#order();
    const isKnown = board.seq !== null;
    if (isKnown) this.#whenOpen?.();
    if (isKnown) this.#whenOpen = null;
    this.#empty.textContent = ids.length > 0 ? '' : isKnown ? 'Nothing is on this dashboard yet.' : 'Loading…';
    this.#tools.hidden = this.#isReadOnly;
    this.#showState(state, operations.pending.length);
    this.#notices.show(this.#machine);
    this.#showPanel();
    if (this.#edit) this.#edit.form.refresh(shown.get(this.#edit.form.widgetId)?.value);
  }

  #newCard(id) {
    const card = new Card(id, {
      edit: () => this.#editWidget(id),
      remove: () => this.#remove(id),
      decide: () => this.#decide([...this.#machine.conflicts.values()].find(({ widgetId }) => widgetId === id)),
    });
    makeHandle(card.move, 'move', this.#dragHooks(id, 'move', card));
    makeHandle(card.resize, 'resize', this.#dragHooks(id, 'resize', card));
    this.#cards.set(id, card);
    this.#board.append(card.node);
    return card;
  }

  // Where widgets lie.

  #dragHooks(id, kind, card) {
    return {
      cell: () => ({ width: this.#board.clientWidth / COLUMNS, height: ROW_PX }),
      place: () => this.#places.get(id),
      follow: (x, y) => {
        this.#drag ??= { id, kind, wanted: null };
        card.node.classList.add('dragged');
        if (kind === 'move') card.node.style.translate = `${x}px ${y}px`;
      },
      wanted: (place) => {
        if (!this.#drag) return;
        this.#drag.wanted = moved(this.#places, id, place);
        this.#lay(this.#drag.wanted);
      },
      done: (place) => {
        this.#drag = null;
        card.node.classList.remove('dragged');
        card.node.style.translate = '';
        if (place) this.#moveTo(id, place);
        this.#show();
      },
      stepped: (place) => {
        this.#moveTo(id, place);
        announce(`Column ${place.x + 1}, row ${place.y + 1}, ${place.w} wide, ${place.h} high`);
      },
    };
  }

  #moveTo(id, place) {
    const { operations, board } = this.#machine;
    const changes = difference(this.#places, moved(this.#places, id, place), operations.shownPlaces(board.layout));
    if (Object.keys(changes.moves).length > 0) this.#client.do({ kind: 'layout', widgetId: null, ...changes });
  }

  #lay(places) {
    for (const [id, { x, y, w, h }] of places) {
      const card = this.#cards.get(id);
      if (!card || (this.#drag?.id === id && this.#drag.kind === 'move')) continue;
      const { style } = card.node;
      style.left = `${(x / COLUMNS) * 100}%`;
      style.width = `${(w / COLUMNS) * 100}%`;
      style.top = `${y * ROW_PX}px`;
      style.height = `${h * ROW_PX}px`;
    }
    this.#board.style.height = `${rowsOf(places) * ROW_PX}px`;
  }

  /** Cards stand in the page as one reads them, row by row. The one that has the focus stays, and the others go round it. */
  #order() {
    const inOrder = [...this.#places].sort(([one, a], [other, b]) => a.y - b.y || a.x - b.x || (one < other ? -1 : 1));
    const nodes = inOrder.map(([id]) => this.#cards.get(id)?.node).filter(Boolean);
    const focused = nodes.find((node) => node.contains(document.activeElement));
    nodes.reduceRight((next, node) => {
      if (node !== focused && node.nextSibling !== next) this.#board.insertBefore(node, next);
      return node;
    }, null);
  }

  // What is done to widgets.

  #create(kind, menu) {
    menu.open = false;
    const { size, value } = KINDS.find((one) => one.kind === kind);
    const widgetId = crypto.randomUUID();
    const place = freePlace(this.#places, size);
    this.#client.do({ kind: 'update', widgetId, changes: structuredClone(value) });
    this.#client.do({ kind: 'layout', widgetId: null, moves: { [widgetId]: place }, before: { [widgetId]: null } });
    this.#show();
    this.#cards.get(widgetId)?.node.scrollIntoView({ block: 'nearest' });
    this.#editWidget(widgetId);
  }

  /** A card that is deleted takes its place in the layout along. */
  #remove(widgetId) {
    const { board, operations } = this.#machine;
    const place = operations.shownPlaces(board.layout)[widgetId];
    this.#client.do({ kind: 'delete', widgetId });
    if (place) this.#client.do({ kind: 'layout', widgetId: null, moves: { [widgetId]: null }, before: { [widgetId]: place } });
  }

  #editWidget(widgetId) {
    const { board, operations } = this.#machine;
    const { value } = operations.shownWidgets(board.widgets).get(widgetId);
    const id = this.#client.do({ kind: 'update', widgetId, isBegun: true });
    const end = (does) => {
      this.#edit = null;
      does();
    };
    const form = new WidgetForm(widgetId, value, {
      saved: (changes) => end(() => (Object.keys(changes).length > 0 ? this.#client.finish(id, changes) : this.#client.cancel(id))),
      left: () => end(() => this.#client.cancel(id)),
    });
    this.#edit = { form, id };
    this.node.append(form.node);
    form.open();
  }

  #decide(conflict) {
    if (!conflict) return;
    const dialog = conflictDialog(conflict, (resolution, value) => this.#client.resolve(conflict.conflictId, resolution, value));
    this.node.append(dialog);
    dialog.showModal();
  }

  // What is told.

  #told(event) {
    switch (event.event) {
      case 'said':
        this.#say(`${event.name}: ${JSON.stringify(event.data)}`, 'calm');
        break;
      case 'unkept':
        this.#say('What waits to be sent cannot be kept in this tab: a reload would lose it.', 'trouble');
        break;
      case 'changed':
        this.#cards.get(event.widgetId)?.flash();
        break;
      case 'conflict':
        announce('Somebody else has changed the same. There is a conflict.');
        break;
      case 'expiring':
        this.#say('Your token ends soon.', 'trouble');
        break;
      default:
    }
  }

  #say(text, tone) {
    this.#notices.say(text, tone);
    this.#soon();
  }

  #showState(state, pending) {
    const waiting = pending === 1 ? 'one change waits' : `${pending} changes wait`;
    const words = pending === 0 ? STATES[state] : `${STATES[state]} · ${waiting}`;
    const shown = { open: 'saved', polling: 'saving', waiting: 'offline', connecting: 'loading', ended: 'offline' };
    Object.assign(this.#state.dataset, { state: pending > 0 && state === 'open' ? 'saving' : shown[state], connection: state, pending });
    if (this.#state.textContent !== words) this.#state.textContent = words;
  }

  #showPanel() {
    if (this.#panel.hidden) return;
    const { board } = this.#machine;
    const key = JSON.stringify([board.layout?.version, board.layouts.length]);
    if (this.#shownPanel === key && this.#panel.childElementCount > 0) return;
    this.#shownPanel = key;
    const restore = (version) => this.#client.do({ kind: 'restore', widgetId: null, version });
    this.#panel.replaceChildren(element('h2', {}, 'Earlier layouts'), earlierLayouts(board, restore));
  }
}

/** Keeps a client as long as something waits to be sent. */
function letGo(key, client) {
  unsent.set(key, client);
  client.listen({
    changed: () => {
      if (client.machine.operations.pending.length > 0 || unsent.get(key) !== client) return;
      unsent.delete(key);
      client.close();
    },
    told: () => {},
  });
}
