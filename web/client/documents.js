// Guided documents (WIRE §1). A session outlives its connections: coming back, the answer under way is compared with what
// the server has, so that it is saved once and never as the answer to another question.

import { Client, ParlorError, addressOf, freshId, tellAll } from './client.js';
import { TYPED } from './frames.js';

/** How many answers may wait for their questions. */
const ANSWERS_MAX = 100;

/**
 * @typedef {{id: string, text: string, question: number|null, isSent: boolean, wasSent: boolean,
 *   resolve: (saved: {turn: number}) => void, reject: (error: Error) => void}} Answer `question`: the turn of the one it
 *   is meant for; `isSent`: over the connection there is, `wasSent`: over any
 */

/** A conversation that writes a document. Its methods are static too, for an app that has one at a time. */
export class DocAPI {
  static #shared = new DocAPI();
  #options;
  /** @type {Client|null} */
  #client = null;
  /** @type {Map<string, Set<(message: any) => void>>} */
  #handlers = new Map();
  #token;
  #sessionId = null;
  /** @type {number|null} the turn of the question that is open */
  #question = null;
  /** The turn of the last question that the app was told. */
  #told = 0;
  /** @type {Answer[]} */
  #answers = [];

  /** @param {{url?: string, stream?: boolean, WebSocket?: typeof WebSocket}} [options] and those of a `Client` */
  constructor(options = {}) {
    this.#options = options;
  }

  /** Has the static methods use these options from now on; handlers stay. */
  static configure(options) {
    DocAPI.#shared.#options = options;
  }

  static startSession(token, templateId, options) {
    return DocAPI.#shared.startSession(token, templateId, options);
  }

  static sendMessage(text) {
    return DocAPI.#shared.sendMessage(text);
  }

  static retry() {
    return DocAPI.#shared.retry();
  }

  static onMessage(type, handler) {
    return DocAPI.#shared.onMessage(type, handler);
  }

  static close() {
    DocAPI.#shared.close();
  }

  /**
   * Begins a session, or resumes the one there is.
   * @param {string|(() => string|Promise<string>)} token
   * @param {string} templateId
   * @param {{fresh?: boolean}} [options] `fresh`: abandon the session there is
   * @returns {Promise<string>} its id
   */
  startSession(token, templateId, { fresh = false } = {}) {
    this.close();
    this.#token = token;
    this.#sessionId = null;
    this.#question = null;
    this.#told = 0;
    const { stream, ...options } = this.#options;
    const query = () => ({ templateId, ...(fresh && this.#sessionId === null ? { session: 'new' } : {}), ...(stream ? { stream: '1' } : {}) });
    const client = new Client({ ...options, token, endpoint: '/documents', envelope: TYPED, query });
    this.#client = client;
    const started = new Promise((resolve, reject) => {
      client.on('session_started', ({ sessionId }) => resolve(sessionId));
      client.on('session_resumed', ({ sessionId }) => resolve(sessionId));
      client.on('closed', ({ code, reason }) => reject(ended(code, reason)));
    });
    client.on('*', (data, event) => {
      if (this.#client === client) this.#heard(event, data);
    });
    client.connect();
    // Whoever does not wait for it hears of its end by the message.
    started.catch(() => {});
    return started;
  }

  /**
   * Answers the open question, or the next one if none is open.
   * @param {string} text
   * @returns {Promise<{turn: number}>} kept when it is saved
   */
  sendMessage(text) {
    if (!this.#client) return Promise.reject(ended(1000, 'there is no session'));
    if (this.#answers.length >= ANSWERS_MAX) {
      return Promise.reject(new ParlorError({ code: 'OVERLOADED', message: `${ANSWERS_MAX} answers wait already`, recoverable: true }));
    }
    return new Promise((resolve, reject) => {
      const question = this.#answers.length === 0 ? this.#question : null;
      this.#answers.push({ id: freshId(), text, question, isSent: false, wasSent: false, resolve, reject });
      this.#sendAnswer();
    });
  }

  /** Has the AI asked again after it failed. */
  retry() {
    return this.#client?.call('retry') ?? Promise.reject(ended(1000, 'there is no session'));
  }

  /**
   * Has the handler called with each message of this type: `session_started`, `session_resumed`, `next_question`,
   * `question_delta`, `response_saved`, `document_complete`, `error`, or the connection's `connecting`, `open`, `waiting`, `closed`.
   * @param {string} type
   * @param {(message: any) => void} handler
   * @returns {() => void} takes it away again
   */
  onMessage(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => this.#handlers.get(type).delete(handler);
  }

  /** Leaves; the session can be resumed. */
  close() {
    if (this.#client) this.#end({ code: 1000, reason: 'closed' });
  }

  #heard(event, data) {
    switch (event) {
      case 'session_started':
      case 'session_resumed':
        return this.#began(event, data);
      case 'next_question':
        this.#question = data.turn;
        if (data.turn > this.#told) {
          this.#told = data.turn;
          this.#tell(event, data);
        }
        return this.#sendAnswer();
      case 'error':
        return this.#tell(event, { error: data });
      case 'closed':
        return this.#end(data);
      default:
        return this.#tell(event, data);
    }
  }

  #end({ code, reason }) {
    const client = this.#client;
    this.#client = null;
    client.disconnect();
    this.#refuseAnswers(ended(code, reason));
    this.#tell('closed', { code, reason });
  }

  #began(event, data) {
    if (this.#sessionId !== null && this.#sessionId !== data.sessionId) {
      this.#lookForDocument(this.#sessionId);
      return;
    }
    const history = Array.isArray(data.history) ? data.history : [];
    const last = history.at(-1);
    this.#sessionId = data.sessionId;
    this.#question = last?.role === 'assistant' ? last.turn : null;
    this.#compare(history);
    this.#tell(event, data);
    this.#sendAnswer();
  }

  /** Looks whether the answer that was under way arrived, or its question was answered otherwise. */
  #compare(history) {
    const [answer] = this.#answers;
    if (!answer || answer.question === null) return;
    answer.isSent = false;
    const saved = history.find(({ turn, role }) => role === 'user' && turn > answer.question);
    if (!saved) return;
    if (answer.wasSent && saved.content === withoutControls(answer.text)) this.#saved(answer, { turn: saved.turn });
    else this.#refuseAnswers(new ParlorError({ code: 'CONFLICT', message: 'the question was answered elsewhere', recoverable: true }));
  }

  async #sendAnswer() {
    const [answer] = this.#answers;
    if (!answer || answer.isSent || this.#question === null || this.#client?.state !== 'open') return;
    const client = this.#client;
    answer.isSent = true;
    answer.wasSent = true;
    answer.question = this.#question;
    try {
      const saved = await client.call('user_response', { id: answer.id, content: answer.text }, { timeout: 0 });
      if (this.#answers[0] === answer) this.#saved(answer, { turn: saved.turn });
    } catch (error) {
      // Lost with its connection it waits for the next one; `#heard` knows when there will be none.
      if (error.code !== 'CONNECTION_LOST' && this.#answers[0] === answer) this.#refuseAnswers(error);
    }
  }

  #saved(answer, { turn }) {
    this.#answers.shift();
    if (this.#question === answer.question) this.#question = null;
    answer.resolve({ turn });
    this.#tell('response_saved', { id: answer.id, turn });
    this.#sendAnswer();
  }

  #refuseAnswers(error) {
    for (const { reject } of this.#answers.splice(0)) reject(error);
  }

  /** Coming back, the server begins another session: this one was completed meanwhile, or set aside. */
  async #lookForDocument(sessionId) {
    const answers = this.#answers.splice(0);
    this.#client.disconnect();
    this.#client = null;
    const found = await this.#documentOf(sessionId);
    const error = new ParlorError({ code: 'CONFLICT', message: 'the session has ended elsewhere', recoverable: true });
    for (const { question, wasSent, resolve, reject } of answers) {
      if (found && wasSent) resolve({ turn: question + 1 });
      else reject(error);
    }
    if (found) this.#tell('document_complete', { sessionId, documentId: found.id });
    else this.#tell('error', { error });
    this.#tell('closed', { code: 1000, reason: error.message });
  }

  async #documentOf(sessionId) {
    try {
      const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
      const address = addressOf(this.#options.url, '/documents', 'http').replace(/\/documents$/, '/api/documents');
      const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
      const documents = answer.ok ? await answer.json() : [];
      return documents.find((one) => one.sessionId === sessionId);
    } catch {
      return undefined;
    }
  }

  #tell(type, data) {
    tellAll(this.#handlers.get(type), { type, ...data }, type);
  }
}

function ended(code, reason) {
  return new ParlorError({ code: 'CONNECTION_LOST', message: `no session: ${code} ${reason}`.trim(), details: { code, reason }, recoverable: true });
}

function withoutControls(text) {
  return text.replace(/\p{Cc}/gu, (one) => (one === '\n' || one === '\t' ? one : ''));
}
