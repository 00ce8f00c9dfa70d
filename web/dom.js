// Nodes of the page. Everything a person or a server wrote enters as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  back: 'M15 5l-7 7 7 7',
  bin: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  board: 'M4 4h7v9H4ZM13 4h7v5h-7ZM13 11h7v9h-7ZM4 15h7v5H4Z',
  chat: 'M5 5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-7l-5 4v-4H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1Z',
  clock: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 8v4.5l3 2',
  comment: 'M5 4h14a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-8l-4 4v-4H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1ZM8 8.5h8M8 11.5h5',
  corner: 'M19 11v8h-8',
  document: 'M7 3h7l4 4v13a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1ZM14 3v4h4M9 12h6M9 16h4',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  draft: 'M4 20l1-4L16 5l3 3L8 19ZM13.5 7.5l3 3M13 20h7',
  grip: 'M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01',
  lock: 'M7 11h10v9H7zM9 11V8a3 3 0 0 1 6 0v3',
  open: 'M5 12h13M13 6l6 6-6 6',
  people: 'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM3.5 19a5.5 5.5 0 0 1 11 0M16 5.5a3 3 0 0 1 0 5.2M17.5 14.2a5.5 5.5 0 0 1 3 4.8',
  plus: 'M12 5v14M5 12h14',
  project: 'M4 7h6l2 2h8v10H4ZM4 12h16',
  send: 'M12 20V5M5.5 11.5 12 5l6.5 6.5',
};

/**
 * Builds an element. `on` holds listeners; a value of `false`, `null` or `undefined` leaves the attribute
 * out, `true` writes it empty. Children are nodes or text; empty ones are left out.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null|false|undefined)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter((child) => child || child === 0));
  return node;
}

/**
 * One of the line icons, hidden from screen readers.
 * @param {keyof typeof ICONS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button.
 * @param {string} label
 * @param {() => void} pressed
 * @param {Record<string, unknown>} [attributes]
 * @param {keyof typeof ICONS} [drawing] an icon before the label
 * @returns {HTMLButtonElement}
 */
export function button(label, pressed, attributes = {}, drawing = undefined) {
  return element(
    'button',
    { type: 'button', class: 'button', ...attributes, on: { click: pressed } },
    drawing && icon(drawing),
    element('span', {}, label),
  );
}

/**
 * Something to know, with what can be done about it. `tone`: `calm` or `trouble`.
 * @param {string} text
 * @param {'calm'|'trouble'} tone
 * @param {...Node} actions
 * @returns {HTMLElement}
 */
export function notice(text, tone, ...actions) {
  return element(
    'div',
    { class: `notice ${tone}`, role: tone === 'trouble' ? 'alert' : 'status', 'data-testid': 'notice' },
    element('p', {}, text),
    actions.length > 0 && element('div', { class: 'actions' }, ...actions),
  );
}

/**
 * Says something to people who listen to the page.
 * @param {string} text
 */
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}

/**
 * A circle with the first letter of a name, in a tone that stays the same for the same id.
 * @param {string} name
 * @param {string} id
 * @returns {HTMLElement}
 */
export function portrait(name, id) {
  const letter = [...name.trim()][0] ?? '?';
  return element('span', { class: `portrait tone-${toneOf(id)}`, 'aria-hidden': 'true' }, letter.toUpperCase());
}

/**
 * Which of the six tones stands for this id.
 * @param {string} id
 * @returns {number}
 */
export function toneOf(id) {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)) % 6;
  return sum;
}

/**
 * The time of day, and the day when it is not today.
 * @param {string|number} at what `Date` reads
 * @returns {string}
 */
export function clock(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '';
  const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' })}, ${time}`;
}
