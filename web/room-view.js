// One room on the page: its messages, its members, and a box to write in.

import { bubble } from './bubble.js';
import { announce, button, element, icon, notice, portrait } from './dom.js';

/** The server takes 16 KiB of content. */
const CONTENT_BYTES_MAX = 16 * 1024;
/** How near to the end counts as being there, in pixels. */
const END_PX = 80;

/** Shows a room. */
export class RoomView {
  node;
  #room;
  #chat;
  #go;
  #title = element('h1', { tabindex: '-1' });
  #count = element('span', { class: 'count' });
  #list = element('ol', { class: 'messages', role: 'log', 'aria-live': 'polite', 'aria-label': 'Messages', 'data-testid': 'messages' });
  #older = button('Show earlier messages', () => this.#loadOlder(), { class: 'button quiet older', hidden: true });
  #newest = button('New messages', () => this.#scrollDown(), { class: 'button primary newest', hidden: true });
  #scroll = element('div', { class: 'scroll', tabindex: '0', 'aria-label': 'Messages', role: 'region' });
  #members = element('ul', { class: 'members', 'data-testid': 'members' });
  #people = element('aside', { class: 'people', id: 'people', 'aria-label': 'Members' });
  #notices = element('div', { class: 'notices' });
  #box = element('textarea', { id: 'message', rows: '1', placeholder: 'Write a message…', autocomplete: 'off', enterkeyhint: 'send' });
  #send = element('button', { type: 'submit', class: 'button primary send' }, icon('send'), element('span', {}, 'Send'));
  /** @type {Map<string, {node: HTMLElement, stamp: string}>} */
  #shown = new Map();
  #keys = { notice: '', members: '' };

  /**
   * @param {import('./room.js').Room} room
   * @param {import('./chat.js').Chat} chat
   * @param {{signIn: (why: string) => void}} go
   */
  constructor(room, chat, go) {
    this.#room = room;
    this.#chat = chat;
    this.#go = go;
    this.#scroll.append(this.#older, this.#list);
    this.#scroll.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#people.append(element('h2', {}, 'Members'), this.#members);
    this.node = element(
      'section',
      { class: 'room', 'data-testid': 'room' },
      this.#bar(),
      element('div', { class: 'room-body' }, this.#scroll, this.#people, this.#newest),
      this.#notices,
      this.#composer(),
    );
  }

  /** Brings the page up to the room. */
  show() {
    const room = this.#room;
    const isAtEnd = this.#isAtEnd();
    this.#title.textContent = room.name;
    this.#count.textContent = room.memberCount > 0 ? `${room.online} online` : '';
    this.#older.hidden = !room.timeline.hasMore;
    this.#older.disabled = room.isLoading;
    this.#showMessages();
    this.#showMembers();
    this.#showNotice();
    this.#showComposer();
    if (isAtEnd) this.#scrollDown();
    if (document.visibilityState === 'visible') room.unread = 0;
  }

  #bar() {
    const toggle = () => {
      const isOpen = this.#people.classList.toggle('shown');
      people.setAttribute('aria-expanded', String(isOpen));
    };
    const label = { class: 'button quiet people-button', 'aria-label': 'Members', 'aria-expanded': 'false', 'aria-controls': 'people' };
    const people = element('button', { type: 'button', ...label, on: { click: toggle } }, icon('people'), this.#count);
    return element(
      'header',
      { class: 'bar' },
      element('a', { class: 'button quiet to-rooms', href: '#/chat', 'aria-label': 'All rooms' }, icon('back')),
      this.#title,
      people,
    );
  }

  #composer() {
    this.#box.value = this.#room.draft;
    this.#box.addEventListener('input', () => {
      this.#room.draft = this.#box.value;
      this.#showComposer();
    });
    this.#box.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#post();
    });
    const submitted = (event) => {
      event.preventDefault();
      this.#post();
    };
    return element(
      'form',
      { class: 'composer', on: { submit: submitted } },
      element('label', { class: 'unseen', for: 'message' }, 'Message'),
      this.#box,
      this.#send,
    );
  }

  #post() {
    const content = this.#box.value.trim();
    if (!this.#isWritable() || content === '' || bytesOf(content) > CONTENT_BYTES_MAX) return;
    this.#box.value = '';
    this.#room.draft = '';
    this.#room.post(content);
    this.#scrollDown();
    this.#box.focus();
  }

  #isWritable() {
    return this.#room.step !== 'closed' && this.#room.step !== 'refused' && this.#chat.connection.phase !== 'ended';
  }

  #showMessages() {
    const isAtEnd = this.#isAtEnd();
    const fromEnd = this.#scroll.scrollHeight - this.#scroll.scrollTop;
    const entries = this.#room.timeline.entries();
    const last = entries.at(-1)?.key;
    const isLater = this.#shown.size > 0 && last !== undefined && !this.#shown.has(last);
    this.#list.setAttribute('aria-busy', String(this.#room.step === 'joining' || this.#room.isLoading));
    const isOlder = this.#place(entries);
    if (isOlder && !isAtEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight - fromEnd;
    else if (isAtEnd) this.#scrollDown();
    else if (isLater) this.#newest.hidden = false;
  }

  /** Puts the entries' nodes in order, touching only what changed. Returns whether some came before. */
  #place(entries) {
    const wanted = new Set(entries.map((entry) => entry.key));
    for (const [key, shown] of this.#shown) {
      if (wanted.has(key)) continue;
      shown.node.remove();
      this.#shown.delete(key);
    }
    const firstBefore = this.#list.firstElementChild;
    let next = firstBefore;
    entries.forEach((entry, index) => {
      const drawn = bubble(entry, entries[index - 1], this.#room, this.#chat);
      const shown = this.#shown.get(entry.key);
      if (shown?.stamp === drawn.stamp) {
        if (shown.node === next) next = next.nextElementSibling;
        else this.#list.insertBefore(shown.node, next);
        return;
      }
      const node = drawn.draw();
      if (shown && shown.node === next) next = next.nextElementSibling;
      shown?.node.remove();
      this.#list.insertBefore(node, next);
      this.#shown.set(entry.key, { node, stamp: drawn.stamp });
    });
    return firstBefore !== null && firstBefore !== this.#list.firstElementChild;
  }

  #showMembers() {
    const { members, memberCount } = this.#room;
    const sorted = [...members.values()].sort(
      (one, other) => Number(other.online) - Number(one.online) || nameOf(one).localeCompare(nameOf(other)),
    );
    const key = JSON.stringify([sorted, memberCount]);
    if (this.#keys.members === key) return;
    this.#keys.members = key;
    const items = sorted.map((member) => memberRow(member));
    const rest = memberCount - sorted.length;
    if (rest > 0) items.push(element('li', { class: 'empty' }, `and ${rest} more`));
    this.#members.replaceChildren(...items);
  }

  #showNotice() {
    const wanted = this.#wantedNotice();
    const key = wanted ? wanted.slice(0, 2).join(' ') : '';
    if (this.#keys.notice === key) return;
    this.#keys.notice = key;
    this.#notices.replaceChildren(...(wanted ? [notice(...wanted)] : []));
  }

  #wantedNotice() {
    const { connection, complaint, expiresAt } = this.#chat;
    const again = (label) => button(label, () => this.#chat.connectNow(), { class: 'button primary' });
    const signIn = (why) => button('Sign in anew', () => this.#go.signIn(why));
    if (connection.phase === 'ended') {
      const { code, reason } = connection;
      return code === 1008
        ? [`The server refused: ${reason || 'it did not say why'}.`, 'trouble', again('Try again'), signIn(reason)]
        : [`The server ended the chat: ${reason || `code ${code}`}.`, 'trouble', again('Try again')];
    }
    if (connection.phase === 'waiting') {
      return ['The connection is lost. It is being opened again; what you write is sent then.', 'calm', again('Try now')];
    }
    if (this.#room.trouble) return [this.#room.trouble, 'trouble'];
    if (expiresAt) return ['Your sign-in ends soon.', 'calm', signIn('Sign in again to go on.')];
    return complaint ? [complaint, 'trouble'] : null;
  }

  #showComposer() {
    const bytes = bytesOf(this.#box.value.trim());
    const isTooLong = bytes > CONTENT_BYTES_MAX;
    this.#box.disabled = !this.#isWritable();
    this.#send.disabled = bytes === 0 || isTooLong || !this.#isWritable();
    this.#box.setCustomValidity(isTooLong ? `The message has ${bytes} bytes; the limit is ${CONTENT_BYTES_MAX}.` : '');
    this.#box.setAttribute('aria-invalid', String(isTooLong));
    if (isTooLong) this.#box.reportValidity();
  }

  #loadOlder() {
    announce('Loading earlier messages');
    this.#room.loadOlder();
  }

  #scrolled() {
    if (this.#isAtEnd()) this.#newest.hidden = true;
    if (this.#scroll.scrollTop < END_PX && this.#shown.size > 0) this.#room.loadOlder();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    return scrollHeight - scrollTop - clientHeight < END_PX;
  }

  #scrollDown() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#newest.hidden = true;
  }
}

function nameOf(member) {
  return member.name || member.userId;
}

function memberRow(member) {
  const name = nameOf(member);
  return element(
    'li',
    { class: member.online ? 'member online' : 'member', 'data-member': member.userId, 'data-online': String(member.online === true) },
    portrait(name, member.userId),
    element(
      'span',
      { class: 'member-name' },
      name,
      element('span', { class: 'unseen' }, member.online ? ', online' : ', offline'),
      member.userType && member.userType !== 'employee' && element('small', {}, member.userType),
    ),
  );
}

function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}
