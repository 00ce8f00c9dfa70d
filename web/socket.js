// A WebSocket that comes back: lost connections are opened again after a pause that grows and is drawn at
// random, so that many clients do not return at once. It ends for good where trying again is no use.

const PAUSE_MS_FIRST = 500;
const PAUSE_MS_MAX = 20_000;
/** A connection that held this long starts the pauses from the beginning when it is lost. */
const STEADY_MS = 5_000;
/** How long a frame may stay without anything heard after it. */
const SILENCE_MS_MAX = 15_000;
/** How long opening may take. */
const OPENING_MS_MAX = 15_000;

/** Codes after which the same again would end the same way: finished, refused, superseded, misunderstood. */
const FINAL_CODES = new Set([1000, 1002, 1003, 1007, 1008, 1009, 4001]);
const LOST = 1006;

/**
 * @typedef {{phase: 'connecting'|'open'|'ended'} | {phase: 'waiting', until: number} |
 *   {phase: 'ended', code: number, reason: string}} State
 */

/** A reconnecting WebSocket that carries JSON. */
export class Socket {
  #address;
  #hooks;
  #socket = null;
  #state = { phase: 'connecting' };
  #losses = 0;
  #openedAt = 0;
  #notBefore = 0;
  #pause = 0;
  #silence = 0;

  /**
   * @param {() => string} address asked for each time it connects
   * @param {{opened?: () => void, heard: (frame: any) => void, changed?: (state: State) => void}} hooks
   */
  constructor(address, hooks) {
    this.#address = address;
    this.#hooks = hooks;
    addEventListener('offline', this.#networkLost);
    addEventListener('online', this.#networkBack);
    this.#connect();
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /**
   * Sends a frame if the connection is open. One that hears nothing afterwards is taken for lost.
   * @param {object} frame
   * @returns {boolean} whether it went out
   */
  send(frame) {
    if (this.#state.phase !== 'open') return false;
    this.#socket.send(JSON.stringify(frame));
    if (!this.#silence) this.#silence = setTimeout(() => this.#lose(LOST, ''), SILENCE_MS_MAX);
    return true;
  }

  /** Connects at once: before the pause is over, after an end, or leaving the connection there is. */
  connectNow() {
    this.#connect();
  }

  /**
   * Keeps from reconnecting for a while, as a server asks for that stops.
   * @param {number} ms
   */
  holdOff(ms) {
    this.#notBefore = Date.now() + Math.min(Math.max(Number(ms) || 0, 0), PAUSE_MS_MAX);
  }

  /** Ends it for good and listens no more. */
  close() {
    removeEventListener('offline', this.#networkLost);
    removeEventListener('online', this.#networkBack);
    this.#hooks = { heard: () => {} };
    this.#drop();
    this.#state = { phase: 'ended', code: 1000, reason: '' };
  }

  #networkLost = () => {
    if (this.#socket) this.#lose(LOST, '');
  };

  #networkBack = () => {
    if (this.#state.phase === 'waiting') this.#connect();
  };

  #connect() {
    this.#drop();
    this.#change({ phase: 'connecting' });
    const socket = new WebSocket(this.#address());
    this.#socket = socket;
    this.#silence = setTimeout(() => this.#lose(LOST, ''), OPENING_MS_MAX);
    socket.onopen = () => {
      this.#hear();
      this.#openedAt = Date.now();
      this.#change({ phase: 'open' });
      this.#hooks.opened?.();
    };
    socket.onmessage = (event) => {
      this.#hear();
      const frame = parse(event.data);
      if (frame) this.#hooks.heard(frame);
    };
    socket.onclose = (event) => this.#lose(event.code, event.reason);
  }

  #lose(code, reason) {
    const wasSteady = this.#openedAt > 0 && Date.now() - this.#openedAt > STEADY_MS;
    this.#drop();
    if (FINAL_CODES.has(code)) {
      this.#losses = 0;
      this.#change({ phase: 'ended', code, reason });
      return;
    }
    this.#losses = wasSteady ? 1 : this.#losses + 1;
    const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** (this.#losses - 1));
    const until = Math.max(Date.now(), this.#notBefore) + Math.random() * longest;
    this.#pause = setTimeout(() => this.#connect(), until - Date.now());
    this.#change({ phase: 'waiting', until });
  }

  #drop() {
    clearTimeout(this.#pause);
    this.#hear();
    this.#openedAt = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #hear() {
    clearTimeout(this.#silence);
    this.#silence = 0;
  }

  #change(state) {
    this.#state = state;
    this.#hooks.changed?.(state);
  }
}

function parse(text) {
  try {
    const frame = JSON.parse(text);
    return frame !== null && typeof frame === 'object' ? frame : null;
  } catch {
    return null;
  }
}
