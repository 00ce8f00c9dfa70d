// One entry of a room's timeline on the page.

import { button, clock, element, portrait } from './dom.js';

/** Messages of one sender nearer than this stand together under one name. */
const TOGETHER_MS = 5 * 60_000;

/**
 * How an entry is drawn, and a stamp that differs when it must be drawn again.
 * @param {object} entry of `Timeline.entries`
 * @param {object|undefined} before the entry above
 * @param {import('./room.js').Room} room
 * @param {import('./chat.js').Chat} chat
 * @returns {{stamp: string, draw: () => HTMLElement}}
 */
export function bubble(entry, before, room, chat) {
  if (entry.kind === 'notice') return { stamp: entry.text, draw: () => element('li', { class: 'aside' }, entry.text) };
  const isFollowing = follows(entry, before, chat.user.id);
  if (entry.kind === 'unsent') return unsentBubble(entry.unsent, isFollowing, room, chat);
  const { message } = entry;
  const isMine = message.senderId === chat.user.id;
  const name = isMine ? 'You' : message.senderName || room.nameOf(message.senderId);
  const stamp = `${message.seq} ${name} ${isFollowing} ${message.deliveryStatus}`;
  if (message.type === 'system') return { stamp, draw: () => element('li', { class: 'aside', 'data-seq': message.seq }, textOf(message)) };
  return { stamp, draw: () => messageNode(message, { isMine, name, isFollowing }) };
}

function messageNode(message, { isMine, name, isFollowing }) {
  const author = message.type === 'robot' ? 'Robot' : name;
  return element(
    'li',
    { class: classes(isMine, isFollowing), 'data-seq': message.seq },
    !isMine && portrait(author, message.senderId),
    element(
      'div',
      { class: 'said' },
      element('p', { class: isMine || isFollowing ? 'author unseen' : 'author' }, author),
      element('div', { class: message.type === 'chat' ? 'bubble' : `bubble ${kindOf(message)}` }, textOf(message)),
      element('time', { class: 'mark', datetime: message.timestamp }, clock(message.timestamp)),
    ),
  );
}

function unsentBubble(unsent, isFollowing, room, chat) {
  const isWaiting = chat.connection.phase !== 'open';
  const label = unsent.trouble ? `not sent: ${unsent.trouble}` : isWaiting ? 'waiting for the connection…' : 'sending…';
  const actions = () =>
    element(
      'span',
      { class: 'actions' },
      button('Send again', () => room.postAgain(unsent.id), { class: 'button small' }),
      button('Discard', () => discard(unsent.id, room, chat), { class: 'button small quiet' }),
    );
  const draw = () =>
    element(
      'li',
      { class: `${classes(true, isFollowing)} unsent`, 'data-unsent': unsent.id },
      element(
        'div',
        { class: 'said' },
        element('div', { class: 'bubble' }, unsent.content),
        element('span', { class: 'mark' }, label),
        unsent.trouble && actions(),
      ),
    );
  return { stamp: `${label} ${isFollowing}`, draw };
}

function discard(id, room, chat) {
  room.timeline.discard(id);
  chat.changed();
}

function classes(isMine, isFollowing) {
  return `message ${isMine ? 'mine' : 'theirs'}${isFollowing ? ' following' : ''}`;
}

function follows(entry, before, userId) {
  const [one, other] = [sender(before, userId), sender(entry, userId)];
  return one !== null && other !== null && one.id === other.id && other.at - one.at < TOGETHER_MS;
}

function sender(entry, userId) {
  if (entry?.kind === 'unsent') return { id: userId, at: entry.unsent.at };
  if (entry?.kind !== 'message' || entry.message.type === 'system') return null;
  return { id: entry.message.senderId, at: Date.parse(entry.message.timestamp) };
}

function kindOf({ type }) {
  return ['robot', 'file', 'image', 'graph'].includes(type) ? type : 'other';
}

function textOf({ content, type }) {
  if (typeof content === 'string') return content;
  if (type === 'file' && content?.name) return `File: ${content.name} (${Math.ceil((content.size ?? 0) / 1024)} KiB)`;
  if (content?.kind === 'escalation') return `Escalated by ${content.by}: ${content.reason}`;
  return content?.error?.message ?? JSON.stringify(content);
}
