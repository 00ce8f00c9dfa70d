// A dashboard as it is stored, as far as this client has heard: its widgets, its layout, and the layouts before it.

/** How many earlier layouts are remembered; the server brings back as many. */
export const LAYOUTS_MAX = 100;

/**
 * @typedef {{widgetId: string, version: number, value: Record<string, any>, updatedBy: string, updatedAt: string}} Widget
 * @typedef {{version: number, value: any, updatedBy: string, updatedAt: string}} Layout
 * @typedef {{widgetId: string|null, version: number, fields: string[], after: Record<string, any>,
 *   isGone?: boolean}} Change what has changed, and to what
 */

/** A dashboard. */
export class Board {
  /** The last entry of the log that was heard. @type {number|null} */
  seq = null;
  /** @type {Map<string, Widget>} */
  widgets = new Map();
  /** @type {Layout|null} */
  layout = null;
  /** @type {Layout[]} those that were heard, the newest last */
  layouts = [];

  /**
   * Takes in the answer to `SYNC_REQUEST`: what has changed since, or all of it in place of what was known. One that
   * was overtaken tells nothing; but all of it, where only what is new was asked for, comes from a log that begins anew,
   * unless more was heard since the question.
   * @param {{seq: number, full: boolean, widgets: Widget[], removed?: string[], layout?: Layout|null}} told
   * @param {number|null} since what was asked for
   * @returns {Change[]}
   */
  sync({ seq, full, widgets, removed = [], layout }, since) {
    const isAnew = full && since !== null && this.seq === since;
    if (this.seq !== null && seq < this.seq && !isAnew) return [];
    const told = new Set(widgets.map(({ widgetId }) => widgetId));
    const gone = full ? [...this.widgets.keys()].filter((id) => !told.has(id)) : removed;
    const changes = widgets.flatMap((widget) => this.#replace(widget, isAnew));
    changes.push(...gone.flatMap((id) => this.#delete(id, Infinity)));
    if (isAnew) this.layout = null;
    if (layout) changes.push(...this.lay(layout));
    this.seq = seq;
    return changes;
  }

  /**
   * Takes in a change that was stored.
   * @param {{type: string, payload: any, userId: string, timestamp: string|null}} frame
   * @returns {Change[]}
   */
  apply({ type, payload, userId, timestamp }) {
    const made = { version: payload.version, updatedBy: userId, updatedAt: timestamp ?? '' };
    switch (type) {
      case 'WIDGET_UPDATE':
        return this.#update(payload.widgetId, payload.changes, made);
      case 'WIDGET_DELETE':
        return this.#delete(payload.widgetId, payload.version);
      case 'LAYOUT_UPDATE':
      case 'LAYOUT_RESTORE':
        return this.lay({ value: payload.layout, ...made });
      default:
        return [];
    }
  }

  /**
   * Takes in a change of ours, as it was sent.
   * @param {{type: string, payload: any, userId: string, timestamp: string|null}} frame
   * @returns {boolean} whether it is known from that what it did
   */
  applyOwn(frame) {
    const { type, payload } = frame;
    if (type === 'CONFLICT_RESOLVED' || type === 'LAYOUT_RESTORE') return false;
    this.apply({ ...frame, payload });
    return true;
  }

  /**
   * @param {Layout} layout
   * @returns {Change[]}
   */
  lay(layout) {
    if (this.layout && this.layout.version >= layout.version) return [];
    const [before, after] = [places(this.layout), places(layout)];
    this.layout = layout;
    this.layouts.push(layout);
    if (this.layouts.length > LAYOUTS_MAX) this.layouts.shift();
    return [{ widgetId: null, version: layout.version, fields: differing(before, after), after }];
  }

  /**
   * A widget as it stands in an answer, which may be newer than what was heard.
   * @param {Widget|null|undefined} widget
   * @returns {Change[]}
   */
  see(widget) {
    return widget && typeof widget.value === 'object' && widget.value ? this.#replace(widget) : [];
  }

  #replace(widget, isAnew = false) {
    const known = this.widgets.get(widget.widgetId);
    if (known && known.version >= widget.version && !isAnew) return [];
    this.widgets.set(widget.widgetId, widget);
    const { widgetId, version, value } = widget;
    return [{ widgetId, version, fields: differing(known?.value ?? {}, value), after: value }];
  }

  #update(widgetId, changes, { version, updatedBy, updatedAt }) {
    const known = this.widgets.get(widgetId);
    if (known && known.version >= version) return [];
    const value = changed(known?.value ?? {}, changes);
    this.widgets.set(widgetId, { widgetId, version, value, updatedBy, updatedAt });
    return [{ widgetId, version, fields: Object.keys(changes), after: value }];
  }

  #delete(widgetId, version) {
    const known = this.widgets.get(widgetId);
    if (!known || known.version >= version) return [];
    this.widgets.delete(widgetId);
    return [{ widgetId, version: known.version, fields: Object.keys(known.value), after: {}, isGone: true }];
  }
}

function differing(before, after) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !isSame(before[name], after[name]));
}

/**
 * A value after a change: fields are replaced whole, and `null` removes one.
 * @param {Record<string, any>} value
 * @param {Record<string, any>} changes
 */
export function changed(value, changes) {
  const after = { ...value, ...changes };
  for (const [name, set] of Object.entries(changes)) if (set === null) delete after[name];
  return after;
}

/**
 * Where each widget lies, as a layout of ours says it: `{widgetId: {x, y, w, h}}`. Of others' layouts the form that is
 * a list of `{id, x, y, w, h}` (or with `i` or `widgetId`) is read as well.
 * @param {Layout|null} layout
 * @returns {Record<string, any>}
 */
export function places(layout) {
  const value = layout?.value;
  if (Array.isArray(value)) {
    const named = value.map((one) => [one?.widgetId ?? one?.id ?? one?.i, one]).filter(([id]) => typeof id === 'string');
    return Object.fromEntries(named.map(([id, { x, y, w, h }]) => [id, { x, y, w, h }]));
  }
  return value !== null && typeof value === 'object' ? value : {};
}

/** Whether two values of JSON say the same. */
export function isSame(one, other) {
  if (one === other) return true;
  if (one === null || other === null || typeof one !== 'object' || typeof other !== 'object') return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && isSame(one[name], other[name]));
}
