// One chat room that is listened to: its messages, its members, and what is under way to it (WIRE §2).

import { Timeline } from './timeline.js';

const HISTORY_PAGE = 50;

/** A room. */
export class Room {
  /** @type {'joining'|'joined'|'refused'|'closed'} */
  step = 'joining';
  name;
  /** @type {string|null} why it is refused or closed */
  trouble = null;
  /** @type {Map<string, {userId: string, name?: string, userType?: string, online: boolean}>} */
  members = new Map();
  memberCount = 0;
  /** @type {number|null} how many are online, where the server counts them only */
  onlineCount = null;
  timeline;
  isLoading = false;
  /** How many messages came while the room was not looked at. */
  unread = 0;
  /** What is written and not sent. */
  draft = '';
  #chat;

  /**
   * @param {string} id
   * @param {string} name
   * @param {{user: {id: string, name: string}, call: (event: string, data: object) => Promise<any>, changed: () => void,
   *   isWatched: (room: Room) => boolean}} chat
   */
  constructor(id, name, chat) {
    this.id = id;
    this.name = name;
    this.#chat = chat;
    this.timeline = new Timeline(chat.user.id);
  }

  /** Joins, or comes back saying what was heard. */
  async join() {
    if (this.step === 'closed') return;
    this.step = 'joining';
    const { heard } = this.timeline;
    try {
      const joined = await this.#chat.call('chat:room:join', { roomId: this.id, ...(heard === null ? {} : { since: heard }) });
      this.#joined(joined);
    } catch (error) {
      if (error.code === 'CONNECTION_LOST') return;
      this.step = 'refused';
      this.trouble = error.message;
    }
    this.#chat.changed();
  }

  /**
   * Sends a message; it is on the page at once.
   * @param {string} content
   */
  post(content) {
    const id = crypto.randomUUID();
    this.timeline.post(id, content);
    this.#send(id, content);
    this.#chat.changed();
  }

  /**
   * Sends a message again that was refused.
   * @param {string} id
   */
  postAgain(id) {
    const unsent = this.timeline.unsent.find((one) => one.id === id);
    if (!unsent) return;
    this.timeline.mark(id, null);
    this.#send(id, unsent.content);
    this.#chat.changed();
  }

  /** Asks for the page of messages before the oldest. */
  async loadOlder() {
    if (this.isLoading || !this.timeline.hasMore || this.step !== 'joined') return;
    this.isLoading = true;
    this.#chat.changed();
    try {
      const asked = { roomId: this.id, before: this.timeline.oldest, limit: HISTORY_PAGE };
      this.timeline.prepend(await this.#chat.call('chat:message:history', asked));
    } catch (error) {
      if (error.code !== 'CONNECTION_LOST') this.timeline.note(`Earlier messages could not be had: ${error.message}`);
    }
    this.isLoading = false;
    this.#chat.changed();
  }

  /**
   * Takes in a stored message, under whatever name it came.
   * @param {import('./timeline.js').Message} message
   */
  heard(message) {
    if (this.step === 'closed') return;
    const what = this.timeline.hear(message);
    if (what === 'gap') this.#closeGap();
    if (what !== 'new') return;
    if (this.#chat.isWatched(this)) this.timeline.trim();
    else this.unread += 1;
  }

  /**
   * Takes in a `chat:system:notification`.
   * @param {{kind: string, users?: {userId: string, name?: string}[], online?: number, userId?: string}} data
   */
  notified(data) {
    switch (data.kind) {
      case 'user_joined':
        this.#cameOrWent(data, true);
        break;
      case 'user_left':
        this.#cameOrWent(data, false);
        break;
      case 'members':
        this.onlineCount = data.online;
        break;
      case 'member_removed':
        this.#removed(data.userId);
        break;
      case 'room_closed':
        this.#close('This room was closed.');
        break;
      default:
        this.timeline.note(String(data.message ?? data.kind));
    }
  }

  /** @returns {number} how many members are online */
  get online() {
    return this.onlineCount ?? [...this.members.values()].filter((member) => member.online).length;
  }

  /**
   * @param {string} userId
   * @returns {string} the name to show
   */
  nameOf(userId) {
    return this.members.get(userId)?.name || userId;
  }

  #joined(joined) {
    const isFirst = this.timeline.heard === null;
    this.step = 'joined';
    this.trouble = null;
    this.name = joined.name || this.name;
    this.members = new Map(joined.members.map((member) => [member.userId, member]));
    this.memberCount = joined.memberCount;
    this.onlineCount = null;
    const heard = this.timeline.heard ?? joined.lastSeq;
    this.timeline.join(joined);
    if (joined.reset && !isFirst) this.timeline.note('You were away for long: what came before is under “Show earlier messages”.');
    if (!isFirst && !this.#chat.isWatched(this)) this.unread += Math.max(0, this.timeline.heard - heard);
    for (const { id, content, trouble } of this.timeline.unsent) if (!trouble) this.#send(id, content);
  }

  #send(id, content) {
    if (this.step !== 'joined') return;
    this.#chat.call('chat:message:send', { roomId: this.id, id, content }).then(
      (answer) => {
        if (this.timeline.confirm(id, answer, this.#chat.user.name) === 'gap') this.#closeGap();
        this.#chat.changed();
      },
      (error) => {
        if (error.code !== 'CONNECTION_LOST') this.timeline.mark(id, error.message);
        this.#chat.changed();
      },
    );
  }

  #closeGap() {
    if (this.step === 'joined') this.join();
  }

  #cameOrWent({ users, online }, isHere) {
    for (const { userId, name } of users ?? []) {
      const known = this.members.get(userId);
      const wasHere = known?.online === true;
      if (!known) this.memberCount += 1;
      this.members.set(userId, { ...known, userId, name: name ?? known?.name, online: isHere });
      if (userId !== this.#chat.user.id && wasHere !== isHere) {
        this.timeline.note(`${name || this.nameOf(userId)} ${isHere ? 'is here' : 'left'}`);
      }
    }
    if (typeof online === 'number' && this.memberCount > this.members.size) this.onlineCount = online;
  }

  #removed(userId) {
    if (userId === this.#chat.user.id) {
      this.#close('You are no longer a member of this room.');
      return;
    }
    this.timeline.note(`${this.nameOf(userId)} is no longer a member`);
    if (this.members.delete(userId)) this.memberCount -= 1;
  }

  #close(why) {
    this.step = 'closed';
    this.trouble = why;
  }
}
