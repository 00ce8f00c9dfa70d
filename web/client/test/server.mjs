// A Parlor of the test's own: the binary that PARLOR_BIN names, on a free port, with its data in a folder that goes
// with it. It can be killed, and started again on the same port and data.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = resolve(process.env.PARLOR_BIN ?? new URL('../../../target/debug/parlor', import.meta.url).pathname);
const SECRET = 'a secret of the tests, long enough to sign with';
const SERVICE_KEY = 'the key of the backend in the tests';

/** Those that run, which end with the tests however these end. */
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(1));

/** A running server. */
export class Server {
  #folder;
  #child;
  #port = 0;
  #settings;

  /**
   * @param {import('node:test').TestContext} test at whose end it ends
   * @param {object} [settings] as its environment spells them
   */
  static async start(test, settings = {}) {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), 'parlor-client-'));
    server.#settings = settings;
    test.after(() => server.#end());
    await server.restart();
    return server;
  }

  /** @returns {string} */
  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it, on the port it had. */
  async restart() {
    const { PATH } = process.env;
    const settings = { RATE_LIMIT_CALLS: 0, DRAIN_SPREAD: 0, ...this.#settings };
    const env = { PATH, JWT_SECRET: SECRET, SERVICE_API_KEY: SERVICE_KEY, WEBSOCKET_PORT: this.#port, DATABASE_URL: 'sqlite:parlor.db', ...settings };
    this.#child = spawn(BINARY, [], { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
    const child = this.#child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for await (const line of createInterface({ input: this.#child.stdout })) {
      const address = / listens on http:\/\/[^:]+:(\d+)/.exec(line);
      if (!address) continue;
      this.#port = Number(address[1]);
      this.#child.stdout.resume();
      return;
    }
    assert.fail(`${BINARY} does not listen`);
  }

  /** @param {'SIGKILL'|'SIGTERM'} signal */
  async stop(signal) {
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }

  /** A request of the backend. */
  async backend(method, path, body) {
    const headers = { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' };
    const answer = await fetch(this.url + path, { method, headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    const text = await answer.text();
    return text ? JSON.parse(text) : null;
  }

  /** A request of a user. */
  async get(path, user) {
    const answer = await fetch(this.url + path, { headers: { authorization: `Bearer ${token(user)}` } });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  }

  async #end() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop('SIGKILL');
    await rm(this.#folder, { recursive: true });
  }
}

/**
 * A token of this user's.
 * @param {string} user
 * @param {number} [seconds] how long it is good
 */
export function token(user, seconds = 3_600) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: user, name: user, firmId: 'acme', exp: Math.floor(Date.now() / 1_000) + seconds };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/**
 * The data of the next event of this name that fits.
 * @param {{once: Function, on: Function}} client
 * @param {string} event
 * @param {(data: any) => boolean} [fits]
 */
export function next(client, event, fits = () => true) {
  return new Promise((resolve) => {
    const off = client.on(event, (data) => {
      if (!fits(data)) return;
      off();
      resolve(data);
    });
  });
}
