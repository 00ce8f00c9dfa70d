// One guided conversation: what the server says over `/documents` (WIRE §1) becomes a state that a page can
// show, and what the person does becomes frames.

import { Answer } from './answer.js';
import { socketAddress, user } from './session.js';
import { Socket } from './socket.js';

const PING_MS = 25_000;

/**
 * @typedef {'idle'|'open'|'saving'|'thinking'|'stuck'|'complete'} Step
 * idle: nothing heard yet; open: a question waits; saving: the answer is under way; thinking: the
 * interviewer is at it; stuck: it failed and can be asked again; complete: there is a document.
 */

/** A conversation through one template. */
export class Interview {
  /** @type {Step} */
  step = 'idle';
  /** @type {Map<number, {turn: number, role: string, content: string, at?: string}>} */
  turns = new Map();
  templateName = '';
  sessionId = '';
  progress = null;
  /** @type {{code: string, message: string}|null} the last thing that went wrong */
  trouble = null;
  documentId = '';
  /** What the interviewer has said so far of its next question. */
  spoken = '';
  /** Whether the token ends soon. */
  isExpiring = false;
  answer;
  #socket;
  #changed;
  #question = 0;
  #isFresh = false;
  #pinging;

  /**
   * @param {string} templateId
   * @param {() => void} changed called after each change
   */
  constructor(templateId, changed) {
    this.answer = new Answer(sessionStorage, user()?.id ?? '', templateId);
    this.#changed = changed;
    const address = () =>
      socketAddress('/documents', { templateId, stream: '1', ...(this.#isFresh ? { session: 'new' } : {}) });
    this.#socket = new Socket(address, { heard: (frame) => this.#heard(frame), changed: () => changed() });
    this.#pinging = setInterval(() => this.#socket.send({ type: 'ping' }), PING_MS);
  }

  /** @returns {import('./socket.js').State} */
  get connection() {
    return this.#socket.state;
  }

  /** @returns {boolean} whether an answer would be taken */
  get isOpen() {
    return this.step === 'open' && this.connection.phase === 'open';
  }

  /**
   * Answers the open question.
   * @param {string} content
   */
  respond(content) {
    if (!this.isOpen) return;
    this.answer.send(content, this.#question, this.sessionId);
    this.trouble = null;
    this.#sendAnswer();
    this.#changed();
  }

  /** Asks the interviewer again after it failed. */
  retry() {
    this.trouble = null;
    if (this.#socket.send({ type: 'retry' })) this.#socket.send({ type: 'ping' });
    this.step = 'thinking';
    this.#changed();
  }

  /** Sets this conversation aside and begins another. */
  startAfresh() {
    this.#isFresh = true;
    this.answer.refused();
    this.answer.write('');
    this.takeBack();
  }

  /** Connects at once: after an end for good, or while it waits to try again. */
  takeBack() {
    this.trouble = null;
    this.#socket.connectNow();
  }

  /** Leaves; the conversation can be resumed. */
  close() {
    clearInterval(this.#pinging);
    this.#socket.close();
  }

  #sendAnswer() {
    const { id, content } = this.answer.sent;
    this.step = 'saving';
    this.#socket.send({ type: 'user_response', content, id, requestId: id });
  }

  #heard(frame) {
    if (frame.type !== 'question_delta' && frame.type !== 'pong') this.spoken = '';
    switch (frame.type) {
      case 'session_started':
      case 'session_resumed':
        this.#began(frame);
        break;
      case 'next_question':
        this.#asked(frame);
        break;
      case 'question_delta':
        this.spoken += String(frame.text ?? '');
        break;
      case 'response_saved':
        this.#saved(frame);
        break;
      case 'document_complete':
        this.documentId = String(frame.documentId);
        this.answer.saved();
        this.step = 'complete';
        break;
      case 'error':
        this.#failed(frame);
        break;
      case 'auth:expiring':
        this.isExpiring = true;
        break;
      case 'server_shutdown':
        this.#socket.holdOff(frame.reconnectAfterMs);
        break;
      default:
        return;
    }
    this.#changed();
  }

  #began(frame) {
    const history = Array.isArray(frame.history) ? frame.history : [];
    this.#isFresh = false;
    this.sessionId = frame.sessionId;
    this.templateName = frame.templateName;
    this.progress = null;
    this.trouble = null;
    this.turns = new Map(history.map((turn) => [turn.turn, turn]));
    this.answer.resume(frame.sessionId, history);
    this.step = history.at(-1)?.role === 'assistant' ? 'idle' : 'thinking';
  }

  #asked(frame) {
    this.#question = frame.turn;
    this.progress = frame.progress ?? null;
    this.trouble = null;
    this.turns.set(frame.turn, { ...this.turns.get(frame.turn), turn: frame.turn, role: 'assistant', content: frame.question });
    if (this.answer.sent?.turn === frame.turn) {
      this.#sendAnswer();
      return;
    }
    if (this.answer.sent) this.answer.saved();
    this.step = 'open';
  }

  #saved(frame) {
    const { sent } = this.answer;
    if (sent && (frame.id ?? frame.requestId ?? sent.id) === sent.id) {
      this.turns.set(frame.turn, { turn: frame.turn, role: 'user', content: sent.content });
      this.answer.saved();
    }
    this.step = 'thinking';
  }

  #failed(frame) {
    const error = frame.error ?? {};
    this.trouble = { code: String(error.code ?? ''), message: String(error.message ?? '') };
    const isOfAnswer = this.answer.sent && frame.requestId === this.answer.sent.id;
    if (error.code === 'AI_UNAVAILABLE' || error.code === 'AI_BAD_REPLY') {
      this.step = 'stuck';
    } else if (isOfAnswer) {
      this.answer.refused();
      this.step = 'open';
    } else if (this.step === 'thinking') {
      this.step = 'stuck';
    }
  }
}
