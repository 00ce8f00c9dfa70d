// The page of a guided conversation: questions, answers, and a box to answer in.

import { announce, button, element, icon, notice } from './dom.js';
import { Interview } from './interview.js';

/** The longest answer that the server takes. */
const ANSWER_BYTES_MAX = 32 * 1024;
/** How near to the end counts as being there, in pixels. */
const END_PX = 80;
const STUCK_TEXTS = {
  AI_UNAVAILABLE: 'The interviewer cannot be reached.',
  AI_BAD_REPLY: 'The interviewer said something that makes no sense.',
};

/**
 * Shows the conversation through a template.
 * @param {string} templateId
 * @param {{finished: (documentId: string) => void, signIn: (why: string) => void}} go
 * @returns {{node: HTMLElement, leave: () => void}}
 */
export function interviewPage(templateId, go) {
  const page = new Page(templateId, go);
  return { node: page.node, leave: () => page.leave() };
}

class Page {
  node;
  #interview;
  #go;
  #title = element('h1', { tabindex: '-1' }, 'Guided document');
  #progress = element('div', { class: 'progress', hidden: true });
  #turns = element('ol', { class: 'turns', role: 'log', 'aria-live': 'polite', 'aria-label': 'Conversation', 'data-testid': 'turns' });
  #state = element('p', { class: 'thinking', 'data-testid': 'state', hidden: true });
  #notices = element('div', { class: 'notices' });
  #box = element('textarea', { id: 'answer', rows: '1', placeholder: 'Write your answer…', autocomplete: 'off', enterkeyhint: 'send' });
  #send = element('button', { type: 'submit', class: 'button primary send' });
  #afresh = element('dialog', { class: 'dialog', 'aria-labelledby': 'afresh-title' });
  #shown = new Map();
  #noticed = '';

  constructor(templateId, go) {
    this.#go = go;
    this.#interview = new Interview(templateId, () => this.#show());
    this.node = element(
      'section',
      { class: 'conversation', 'data-testid': 'interview' },
      element(
        'header',
        { class: 'bar' },
        element('a', { class: 'button quiet', href: '#/documents', 'aria-label': 'All documents' }, icon('back')),
        this.#title,
        button('Start afresh', () => this.#afresh.showModal(), { class: 'button quiet' }),
      ),
      this.#progress,
      element('div', { class: 'scroll' }, this.#turns, this.#state),
      this.#notices,
      this.#composer(),
      this.#afreshDialog(),
    );
    this.#box.value = this.#interview.answer.draft;
    this.#show();
  }

  leave() {
    this.#interview.close();
  }

  #composer() {
    this.#box.addEventListener('input', () => {
      this.#interview.answer.write(this.#box.value);
      this.#showComposer();
    });
    this.#box.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (this.#box.value.trim() !== '') this.#respond();
    });
    const submitted = (event) => {
      event.preventDefault();
      this.#respond();
    };
    return element(
      'form',
      { class: 'composer', on: { submit: submitted } },
      element('label', { class: 'unseen', for: 'answer' }, 'Your answer'),
      this.#box,
      this.#send,
      element('p', { class: 'hint' }, 'Enter sends, Shift and Enter begin a new line.'),
    );
  }

  #afreshDialog() {
    const begin = () => {
      this.#afresh.close();
      this.#box.value = '';
      this.#interview.startAfresh();
    };
    this.#afresh.append(
      element('h2', { id: 'afresh-title' }, 'Start afresh?'),
      element('p', {}, 'The answers given so far are set aside, and the first question is asked again.'),
      element(
        'div',
        { class: 'actions' },
        button('Keep going', () => this.#afresh.close()),
        button('Start afresh', begin, { class: 'button primary' }),
      ),
    );
    return this.#afresh;
  }

  #respond() {
    const content = this.#box.value.trim();
    if (!this.#interview.isOpen || new TextEncoder().encode(content).length > ANSWER_BYTES_MAX) return;
    this.#box.value = '';
    this.#interview.respond(content);
    this.#box.focus();
  }

  #show() {
    const interview = this.#interview;
    if (!interview) return;
    if (interview.step === 'complete') {
      this.#go.finished(interview.documentId);
      return;
    }
    if (interview.templateName) this.#title.textContent = interview.templateName;
    if (this.#box.value === '' && interview.answer.draft) this.#box.value = interview.answer.draft;
    this.#showProgress();
    this.#showTurns();
    this.#showState();
    const scroll = this.#turns.parentElement;
    const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < END_PX;
    this.#showNotice();
    this.#showComposer();
    if (isAtEnd) this.#scrollDown();
  }

  #showProgress() {
    const { progress } = this.#interview;
    this.#progress.hidden = !progress;
    if (!progress) return;
    const label = `${progress.answered} of ${progress.total} answered`;
    this.#progress.replaceChildren(
      element('progress', { max: progress.total, value: progress.answered, 'aria-label': label }),
      element('span', {}, label),
    );
  }

  #showTurns() {
    const { turns, answer, step } = this.#interview;
    const wanted = [...turns.values()].sort((one, other) => one.turn - other.turn);
    const sent = answer.sent && { turn: answer.sent.turn + 1, role: 'user', content: answer.sent.content, isUnderWay: true };
    if (sent) wanted.push(sent);
    const isReload = this.#shown.size > 0 && wanted.every((turn) => this.#shown.get(turn.turn)?.text !== turn.content);
    if (isReload || wanted.length === 0) {
      this.#turns.replaceChildren();
      this.#shown.clear();
    }
    const sizeBefore = this.#shown.size;
    for (const turn of wanted) this.#showTurn(turn, step);
    this.#forget(new Set(wanted.map((turn) => turn.turn)));
    if (this.#shown.size !== sizeBefore) this.#scrollDown();
  }

  #showTurn(turn, step) {
    let shown = this.#shown.get(turn.turn);
    if (!shown || shown.text !== turn.content) {
      const text = turn.content === '' ? element('em', {}, 'skipped') : turn.content;
      const bubble = element('div', { class: 'bubble' }, text);
      const mark = element('span', { class: 'mark' });
      const author = element('span', { class: 'unseen' }, turn.role === 'user' ? 'You: ' : 'Interviewer: ');
      const node = element('li', { class: `turn ${turn.role === 'user' ? 'mine' : 'theirs'}`, 'data-turn': turn.turn }, author, bubble, mark);
      if (shown) shown.node.replaceWith(node);
      else this.#turns.append(node);
      shown = { node, mark, text: turn.content };
      this.#shown.set(turn.turn, shown);
    }
    const isLast = turn.turn >= Math.max(...this.#interview.turns.keys(), 0);
    const fresh = turn.isUnderWay ? 'saving…' : isLast && step !== 'open' ? 'saved' : '';
    const label = turn.role === 'user' ? fresh : '';
    if (shown.mark.textContent !== label) shown.mark.textContent = label;
  }

  #forget(wanted) {
    for (const [turn, shown] of this.#shown) {
      if (wanted.has(turn)) continue;
      shown.node.remove();
      this.#shown.delete(turn);
    }
  }

  #showState() {
    const { step, connection, spoken } = this.#interview;
    const isThinking = step === 'thinking' && connection.phase === 'open';
    const text = isThinking ? spoken || 'The interviewer is thinking…' : '';
    this.#state.hidden = !text;
    if (this.#state.textContent === text) return;
    this.#state.replaceChildren(text && element('span', { class: 'dots', 'aria-hidden': 'true' }), text);
    // What is being spoken is read out as a whole when it stands among the turns.
    if (text && !spoken) announce(text);
    if (text) this.#scrollDown();
  }

  #showNotice() {
    const wanted = this.#wantedNotice();
    const key = wanted ? wanted.slice(0, 2).join(' ') : '';
    if (key === this.#noticed) return;
    this.#noticed = key;
    this.#notices.replaceChildren(...(wanted ? [notice(...wanted)] : []));
  }

  #wantedNotice() {
    const { connection, step, trouble, isExpiring } = this.#interview;
    const again = (label) => button(label, () => this.#interview.takeBack(), { class: 'button primary' });
    if (connection.phase === 'ended') return this.#endNotice(connection, again);
    if (connection.phase === 'waiting') {
      const text = 'The connection is lost. It is being opened again; what you wrote is kept.';
      return [text, 'calm', again('Try now')];
    }
    if (step === 'stuck') {
      const text = STUCK_TEXTS[trouble?.code] ?? `The interviewer is stuck: ${trouble?.message}.`;
      return [`${text} Your answers are saved.`, 'trouble', button('Try again', () => this.#interview.retry(), { class: 'button primary' })];
    }
    if (trouble) return [`Not taken: ${trouble.message}`, 'trouble'];
    if (!isExpiring) return null;
    return ['Your sign-in ends soon.', 'calm', button('Sign in', () => this.#go.signIn('Sign in again to go on.'), { class: 'button primary' })];
  }

  #endNotice({ code, reason }, again) {
    if (code === 4001) return ['This conversation was opened in another tab.', 'calm', again('Continue here')];
    if (code === 1008) {
      return [`The server refused: ${reason || 'it did not say why'}.`, 'trouble', again('Try again'), button('Sign in anew', () => this.#go.signIn(reason))];
    }
    return [`The server ended the conversation: ${reason || `code ${code}`}.`, 'trouble', again('Try again')];
  }

  #showComposer() {
    const interview = this.#interview;
    const bytes = new TextEncoder().encode(this.#box.value.trim()).length;
    const isEmpty = bytes === 0;
    const label = isEmpty ? 'Skip' : 'Send';
    if (this.#send.dataset.label !== label) {
      this.#send.dataset.label = label;
      this.#send.className = isEmpty ? 'button send' : 'button primary send';
      this.#send.replaceChildren(...(isEmpty ? [label] : [icon('send'), element('span', {}, label)]));
    }
    const isTooLong = bytes > ANSWER_BYTES_MAX;
    this.#send.disabled = !interview.isOpen || isTooLong;
    this.#box.setAttribute('aria-invalid', String(isTooLong));
    this.#box.setCustomValidity(isTooLong ? `The answer has ${bytes} bytes; the limit is ${ANSWER_BYTES_MAX}.` : '');
    if (isTooLong) this.#box.reportValidity();
    this.#box.disabled = interview.connection.phase === 'ended';
  }

  #scrollDown() {
    const scroll = this.#turns.parentElement;
    scroll.scrollTop = scroll.scrollHeight;
  }
}
