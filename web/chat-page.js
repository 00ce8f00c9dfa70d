// The place for chat: the rooms at the side, and the room that is looked at.

import { button, element, icon, notice } from './dom.js';
import { RoomView } from './room-view.js';

/**
 * The page at a path below `#/chat`.
 * @param {string[]} path decoded
 * @param {import('./chat.js').Chat} chat
 * @param {{to: (path: string[]) => void, signIn: (why: string) => void, changed: () => void}} go
 * @returns {{node: HTMLElement, leave: () => void}}
 */
export function chatPage([roomId], chat, go) {
  const list = element('ul', { class: 'rooms', 'data-testid': 'rooms' });
  const dialog = createDialog(chat, go);
  const side = element(
    'nav',
    { class: 'side', 'aria-label': 'Rooms' },
    element(
      'div',
      { class: 'side-head' },
      element('h2', { tabindex: '-1' }, 'Rooms'),
      button('New room', () => dialog.showModal(), { class: 'button quiet' }, 'plus'),
    ),
    list,
  );
  const room = roomId ? chat.watch(roomId) : null;
  const view = room && new RoomView(room, chat, go);
  const node = element('div', { class: `chat ${room ? 'in-room' : ''}` }, side, view ? view.node : emptyRoom(), dialog);
  const show = () => {
    showRooms(list, chat, roomId, go);
    view?.show();
    go.changed();
  };
  chat.listen(show);
  chat.list();
  show();
  const leave = () => {
    chat.unwatch();
    chat.listen(go.changed);
  };
  return { node, leave };
}

function emptyRoom() {
  return element('section', { class: 'room nothing' }, icon('chat'), element('p', {}, 'Choose a room, or make a new one.'));
}

function showRooms(list, chat, openId, go) {
  const rows = chat.directory.map(({ id, name }) => ({ id, name: name || id, unread: chat.unreadOf(id) }));
  const key = JSON.stringify([openId, rows, chat.trouble?.message, chat.isListed]);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  const items = rows.map((row) => roomRow(row, openId));
  if (chat.trouble) items.push(element('li', {}, listNotice(chat, go)));
  else if (rows.length === 0) items.push(element('li', { class: 'empty' }, chat.isListed ? 'There are no rooms yet.' : 'Loading…'));
  list.replaceChildren(...items);
}

function roomRow({ id, name, unread }, openId) {
  const link = element(
    'a',
    { class: 'room-row', href: `#/chat/${encodeURIComponent(id)}`, 'aria-current': id === openId ? 'page' : null, 'data-room': id },
    element('span', { class: 'room-name' }, name),
    unread > 0 && element('span', { class: 'badge' }, unread > 99 ? '99+' : unread, element('span', { class: 'unseen' }, ' new')),
  );
  return element('li', {}, link);
}

function listNotice(chat, go) {
  const remedy = chat.trouble.isAboutToken
    ? button('Sign in', () => go.signIn(chat.trouble.message), { class: 'button primary' })
    : button('Try again', () => chat.list());
  return notice(chat.trouble.message, 'trouble', remedy);
}

function createDialog(chat, go) {
  const dialog = element('dialog', { class: 'dialog', 'aria-labelledby': 'create-title' });
  const name = element('input', { id: 'room-name', required: true, maxlength: '120', autocomplete: 'off' });
  const members = element('input', { id: 'room-members', autocomplete: 'off', placeholder: 'ben, cleo', 'aria-describedby': 'members-hint' });
  const invited = element(
    'div',
    { class: 'field', hidden: true },
    element('label', { for: 'room-members' }, 'Members'),
    members,
    element('small', { id: 'members-hint' }, 'User ids with commas between them'),
  );
  const choice = (value, label, hint, checked) =>
    element(
      'label',
      { class: 'choice' },
      element('input', { type: 'radio', name: 'visibility', value, checked, on: { change: () => (invited.hidden = value === 'public') } }),
      element('span', {}, element('strong', {}, label), element('small', {}, hint)),
    );
  const problem = element('div', { class: 'notices' });
  const create = element('button', { type: 'submit', class: 'button primary' }, 'Create');
  const submitted = async (event) => {
    event.preventDefault();
    const isPrivate = !invited.hidden;
    const ids = members.value.split(',').map((id) => id.trim()).filter(Boolean);
    const invitation = isPrivate && ids.length > 0 ? { members: ids } : {};
    const wanted = { name: name.value.trim(), visibility: isPrivate ? 'private' : 'public', ...invitation };
    create.disabled = true;
    problem.replaceChildren();
    try {
      const roomId = await chat.create(wanted);
      dialog.close();
      go.to(['chat', roomId]);
    } catch (error) {
      problem.replaceChildren(notice(`The room was not made: ${error.message}`, 'trouble'));
    }
    create.disabled = false;
  };
  const form = element(
    'form',
    { on: { submit: submitted } },
    element('h2', { id: 'create-title' }, 'New room'),
    element('div', { class: 'field' }, element('label', { for: 'room-name' }, 'Name'), name),
    element(
      'fieldset',
      {},
      element('legend', {}, 'Who may join'),
      choice('public', 'Public', 'everyone of your firm but guests', true),
      choice('private', 'Private', 'members only', false),
    ),
    invited,
    problem,
    element('div', { class: 'actions' }, button('Cancel', () => dialog.close()), create),
  );
  dialog.append(form);
  return dialog;
}
