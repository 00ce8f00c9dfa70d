// The answer that a person is writing, or that is under way: kept for this tab, so that neither a reload nor
// a lost connection loses it. Under way it has an id, under which the server stores it once.

const KEY = 'parlor.answer.';

/** The answer to the open question of one template. */
export class Answer {
  #storage;
  #key;
  #kept;

  /**
   * @param {Storage} storage
   * @param {string} userId whose answer it is: another who signs in here does not see it
   * @param {string} templateId
   */
  constructor(storage, userId, templateId) {
    this.#storage = storage;
    this.#key = KEY + JSON.stringify([userId, templateId]);
    this.#kept = { draft: '', sent: null, refused: null, ...read(storage.getItem(this.#key)) };
  }

  /** @returns {string} what is written and not sent */
  get draft() {
    return this.#kept.draft;
  }

  /** @returns {{id: string, content: string, turn: number, sessionId: string}|null} what is under way */
  get sent() {
    return this.#kept.sent;
  }

  /** @param {string} text */
  write(text) {
    this.#keep({ draft: text });
  }

  /**
   * Takes the answer on its way. The same words that were refused go out under the id they had.
   * @param {string} content
   * @param {number} turn of the question
   * @param {string} sessionId
   */
  send(content, turn, sessionId) {
    const again = this.#kept.refused;
    const id = again?.content === content && again.turn === turn ? again.id : crypto.randomUUID();
    this.#keep({ draft: '', sent: { id, content, turn, sessionId }, refused: null });
  }

  /** It is stored. */
  saved() {
    this.#keep({ sent: null, refused: null });
  }

  /** It was not taken: it is a draft again. */
  refused() {
    const { sent } = this.#kept;
    if (sent) this.#keep({ draft: this.#kept.draft || sent.content, sent: null, refused: sent });
  }

  /**
   * Compares with what the server has stored, after coming back.
   * @param {string} sessionId
   * @param {{turn: number, role: string}[]} history
   */
  resume(sessionId, history) {
    const { sent } = this.#kept;
    if (!sent) return;
    if (sent.sessionId !== sessionId) this.refused();
    else if (history.some((turn) => turn.role === 'user' && turn.turn > sent.turn)) this.saved();
  }

  #keep(changes) {
    Object.assign(this.#kept, changes);
    const { draft, sent } = this.#kept;
    if (draft || sent) this.#storage.setItem(this.#key, JSON.stringify(this.#kept));
    else this.#storage.removeItem(this.#key);
  }
}

function read(text) {
  try {
    return JSON.parse(text ?? '{}');
  } catch {
    return {};
  }
}
