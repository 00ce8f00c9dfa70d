// The place for shared drafts: those of who is signed in, and the one that is open (WIRE §4).

import { button, element, icon, notice } from '../dom.js';
import { fetchJson } from '../rest.js';

const NAME_CHARACTERS_MAX = 100;
/** @type {import('./view.js')|null} what the open draft needs, which is large and loaded with the first */
let shown = null;

/**
 * The page at a path below `#/drafts`.
 * @param {string[]} path decoded
 * @param {{to: (path: string[]) => void, signIn: (why: string) => void}} go
 * @returns {{node: HTMLElement, leave: () => void}}
 */
export function draftsPage([draftId], go) {
  const list = element('ul', { class: 'rooms', 'data-testid': 'drafts' }, element('li', { class: 'empty' }, 'Loading…'));
  const dialog = createDialog(go);
  const side = element(
    'nav',
    { class: 'side', 'aria-label': 'Drafts' },
    element(
      'div',
      { class: 'side-head' },
      element('h2', { tabindex: '-1' }, 'Drafts'),
      button('New draft', () => dialog.showModal(), { class: 'button quiet' }, 'plus'),
    ),
    list,
  );
  const frame = element('div', { class: 'place-frame' });
  const node = element('div', { class: `chat ${draftId ? 'in-room' : ''}` }, side, frame, dialog);
  const opened = { view: null, isLeft: false, name: null };
  // One that was made by opening it is listed from then on.
  opened.whenOpen = () => list.querySelector('[aria-current]') ?? listDrafts(list, draftId, opened, go);
  if (draftId) open(draftId, frame, opened, go);
  else frame.append(element('section', { class: 'room nothing' }, icon('draft'), element('p', {}, 'Choose a draft, or begin a new one.')));
  listDrafts(list, draftId, opened, go);
  const leave = () => {
    opened.isLeft = true;
    opened.view?.leave();
  };
  return { node, leave };
}

async function open(draftId, frame, opened, go) {
  try {
    shown ??= await import('./view.js');
  } catch {
    const again = button('Try again', () => open(draftId, frame, opened, go));
    frame.replaceChildren(element('div', { class: 'notices' }, notice('The editor could not be loaded.', 'trouble', again)));
    return;
  }
  if (opened.isLeft) return;
  opened.view = new shown.DraftView(draftId, go, opened.whenOpen);
  if (opened.name) opened.view.named(opened.name);
  frame.replaceChildren(opened.view.node);
}

async function listDrafts(list, openId, opened, go) {
  try {
    const drafts = await fetchJson('/api/rooms?kind=draft');
    const rows = drafts.map(({ id, name, role }) => draftRow(id, name || id, role, id === openId));
    list.replaceChildren(...(rows.length > 0 ? rows : [element('li', { class: 'empty' }, 'There are no drafts yet.')]));
    opened.name = drafts.find(({ id }) => id === openId)?.name || null;
    if (opened.name) opened.view?.named(opened.name);
  } catch (error) {
    const remedy = error.isAboutToken
      ? button('Sign in', () => go.signIn(error.message), { class: 'button primary' })
      : button('Try again', () => listDrafts(list, openId, opened, go));
    list.replaceChildren(element('li', {}, notice(error.message, 'trouble', remedy)));
  }
}

function draftRow(id, name, role, isOpen) {
  const link = element(
    'a',
    { class: 'room-row plain-row', href: `#/drafts/${encodeURIComponent(id)}`, 'aria-current': isOpen ? 'page' : null, 'data-draft': id },
    element('span', { class: 'room-name' }, name),
    role === 'viewer' && element('small', {}, role),
  );
  return element('li', {}, link);
}

/** Where the server makes drafts by opening them, a name is all it takes. */
function createDialog(go) {
  const dialog = element('dialog', { class: 'dialog', 'aria-labelledby': 'draft-title' });
  const name = element('input', { id: 'draft-name', required: true, maxlength: String(NAME_CHARACTERS_MAX), autocomplete: 'off' });
  const submitted = (event) => {
    event.preventDefault();
    const id = name.value.trim();
    if (!id) return;
    dialog.close();
    go.to(['drafts', id]);
  };
  const form = element(
    'form',
    { on: { submit: submitted } },
    element('h2', { id: 'draft-title' }, 'New draft'),
    element('div', { class: 'field' }, element('label', { for: 'draft-name' }, 'Name'), name),
    element(
      'div',
      { class: 'actions' },
      button('Cancel', () => dialog.close()),
      element('button', { type: 'submit', class: 'button primary' }, 'Open'),
    ),
  );
  dialog.append(form);
  return dialog;
}
