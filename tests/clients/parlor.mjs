// A Parlor of a test's own: the binary that PARLOR_BIN names, with its data in a folder that goes with the test. It
// can be ended in both ways, and started again on the same port and data.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = resolve(process.env.PARLOR_BIN ?? new URL('../../target/debug/parlor', import.meta.url).pathname);
const SECRET = 'a secret of the tests, long enough to sign with';
const SERVICE_KEY = 'the key of the backend in the tests';

/** Starts what follows with the signal ignored that a process is sent when it writes over its limit of a file. */
const SHELL = ['-c', 'trap "" XFSZ; exec "$0" "$@"'];

/** Those that run, which end with the tests however these end. */
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(1));

/** A running server. */
export class Parlor {
  #folder;
  #child;
  #port = 0;
  #settings;
  #ca = null;

  /**
   * @param {{after: Function}} test at whose end it ends
   * @param {object} [settings] as flags, spelled as the environment would
   */
  static async start(test, settings = {}) {
    const server = new Parlor();
    server.#folder = await mkdtemp(join(tmpdir(), 'parlor-clients-'));
    server.#settings = { RATE_LIMIT_CALLS: 0, DRAIN_SPREAD: 0, LOG_LEVEL: 'error', ...settings };
    test.after(() => server.#end());
    await server.restart();
    return server;
  }

  /** One that will be started again, on a port that the system gives to nobody meanwhile. */
  static async startSteady(test, settings = {}) {
    return Parlor.start(test, { WEBSOCKET_PORT: await steadyPort(), ...settings });
  }

  /** One that speaks TLS, with a certificate that it has signed itself: who connects needs its `ca`. */
  static async startSecure(test, settings = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'parlor-clients-tls-'));
    test.after(() => rm(folder, { recursive: true }));
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name));
    execFileSync('openssl', [
      ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert],
    ], { stdio: 'ignore' });
    const server = await Parlor.start(test, { TLS_CERT: cert, TLS_KEY: key, ...settings });
    server.#ca = readFileSync(cert, 'latin1');
    return server;
  }

  /** The certificate to believe; null where there is no TLS. */
  get ca() {
    return this.#ca;
  }

  get port() {
    return this.#port;
  }

  get url() {
    return `${this.#settings.TLS_CERT ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  /** Starts it, on the port it had. */
  async restart() {
    const given = {
      HOST: '127.0.0.1',
      WEBSOCKET_PORT: this.#port,
      DATABASE_URL: 'sqlite:parlor.db',
      JWT_SECRET: SECRET,
      SERVICE_API_KEY: SERVICE_KEY,
      ...this.#settings,
    };
    const flags = Object.entries(given).flatMap(([name, value]) => [
      `--${name.toLowerCase().replaceAll('_', '-')}`,
      String(value),
    ]);
    const child = spawn('/bin/sh', [...SHELL, BINARY, ...flags], { cwd: this.#folder, env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for await (const line of createInterface({ input: child.stdout })) {
      const address = / listens on https?:\/\/[^:]+:(\d+)/.exec(line);
      if (!address) continue;
      this.#port = Number(address[1]);
      child.stdout.resume();
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

  /** Sends it a signal that does not end it, or whose end nobody waits for. */
  signal(signal) {
    this.#child.kill(signal);
  }

  /** Whether it can write to files at all: where not, it is as with a full disk. */
  canWrite(can) {
    execFileSync('prlimit', ['--pid', this.#child.pid, `--fsize=${can ? 'unlimited' : 0}:`]);
  }

  /** The bytes of memory that it has. */
  get residentBytes() {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1');
    return 1_024 * Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]);
  }

  /** Whether it still runs. */
  get alive() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** A request of the backend; its answer, where there is one. */
  async backend(method, path, body) {
    const headers = { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' };
    return this.#ask(path, { method, headers, body: JSON.stringify(body) });
  }

  /** A request of a user; its answer. */
  async get(path, user) {
    return this.#ask(path, { method: 'GET', headers: { authorization: `Bearer ${token(user)}` } });
  }

  /** Makes a chat room, open to all of the firm or to these. */
  async room(id, members = []) {
    const visibility = members.length ? 'private' : 'public';
    await this.backend('PUT', `/api/admin/rooms/chat/${id}`, { name: id, firmId: 'acme', visibility });
    for (const member of members) {
      await this.backend('PUT', `/api/admin/rooms/chat/${id}/members/${member}`, { role: 'member' });
    }
    return id;
  }

  /** Makes a project with these members: `{userId: role}`. */
  async project(id, members) {
    await this.backend('PUT', `/api/admin/rooms/project/${id}`, { name: id, firmId: 'acme' });
    for (const [member, role] of Object.entries(members)) {
      await this.backend('PUT', `/api/admin/rooms/project/${id}/members/${member}`, { role });
    }
    return id;
  }

  async #ask(path, init) {
    const answer = await (this.#ca ? askSecurely(this.url + path, this.#ca, init) : fetch(this.url + path, init));
    const text = await answer.text();
    assert.ok(answer.ok, `${init.method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  async #end() {
    if (this.alive) await this.stop('SIGKILL');
    await rm(this.#folder, { recursive: true });
  }
}

/** What `fetch` would do, if it could be told whom to believe. */
function askSecurely(url, ca, { method, headers, body }) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, ca }, (answer) => {
      const status = answer.statusCode;
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (more) => (text += more));
      answer.on('end', () => resolve({ ok: status < 300, status, text: async () => text }));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/**
 * A token of this user's.
 * @param {object} [claims] besides, or instead
 * @param {string} [secret] that it is signed with
 */
export function token(user, claims = {}, secret = SECRET) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const usual = { sub: user, name: user, firmId: 'acme', exp: seconds() + 3_600 };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...usual, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Now, as tokens count. */
export function seconds() {
  return Math.floor(Date.now() / 1_000);
}

/** A port that is free and that the system gives to nobody by itself: a client that comes while nobody listens there
 * would else be connected to itself once in a while. */
async function steadyPort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = createServer();
    const free = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
