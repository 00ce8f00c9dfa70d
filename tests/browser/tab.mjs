// A tab of Chromium with the console in it, which notes everything that should not happen.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const WAIT_MS_MAX = 20_000;
/** What Chromium writes when a connection fails; expected only while a test has taken the network away. */
const NETWORK_LOSS = /ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|ERR_CONNECTION_REFUSED|WebSocket connection to .* failed/;
const REFUSAL = /the server responded with a status of 4\d\d/;

/**
 * The value of a variable that the launcher sets.
 * @param {string} name
 * @returns {string}
 */
export function setting(name) {
  const value = process.env[name];
  assert.ok(value, `the environment variable ${name} is not set`);
  return value;
}

/**
 * @param {string[]} [flags] of Chromium, besides
 * @returns {Promise<import('playwright-core').Browser>}
 */
export function launch(flags = []) {
  return chromium.launch({ executablePath: process.env.PARLOR_CHROMIUM || '/usr/bin/chromium', args: [...FLAGS, ...flags] });
}

/** A tab; `page` is Playwright's. */
export class Tab {
  faults = [];
  isOffline = false;
  refusesSome = false;

  /**
   * @param {import('playwright-core').Page} page
   * @param {string} [url] the server, if it is not the one that the launcher started
   */
  constructor(page, url = setting('PARLOR_URL')) {
    this.page = page;
    this.url = url;
    page.setDefaultTimeout(WAIT_MS_MAX);
    page.on('pageerror', (error) => this.faults.push(`exception: ${error.message}`));
    page.on('console', (message) => this.#logged(message));
    page.on('request', (request) => this.#requested(request.url()));
  }

  /**
   * Opens the console, signed in.
   * @param {import('playwright-core').BrowserContext} context
   * @param {string} token
   * @param {string} place such as `#/chat`
   * @param {string} [url]
   */
  static async open(context, token, place, url) {
    const tab = new Tab(await context.newPage(), url);
    await tab.page.goto(`${tab.url}/#token=${token}`);
    await tab.page.getByTestId('account').waitFor();
    assert.ok(!tab.page.url().includes(token), 'the token is gone from the address bar');
    await tab.go(place);
    return tab;
  }

  /** @param {string} place */
  async go(place) {
    await this.page.goto(new URL(place, this.url).href);
  }

  /** @param {boolean} isOffline */
  async setOffline(isOffline) {
    if (isOffline) this.isOffline = true;
    await this.page.context().setOffline(isOffline);
  }

  /** From now on the server is gone for a while, and failing connections are to be expected. */
  expectLoss() {
    this.isOffline = true;
  }

  /** From now on the server refuses some requests, and Chromium says so. */
  expectRefusals() {
    this.refusesSome = true;
  }

  /** Takes a picture where pictures are wanted. */
  async shoot(name) {
    const folder = process.env.PARLOR_SHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  /** Nothing was logged, thrown, or fetched from elsewhere. */
  assertFaultless() {
    assert.deepEqual(this.faults, []);
  }

  #logged(message) {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    if (this.isOffline && NETWORK_LOSS.test(`${message.text()} ${message.location().url}`)) return;
    if (this.refusesSome && REFUSAL.test(message.text())) return;
    this.faults.push(`${message.type()}: ${message.text()}`);
  }

  #requested(address) {
    const { protocol, host } = new URL(address);
    const isOwn = address === 'about:blank' || host === new URL(this.url).host;
    if (!isOwn && protocol !== 'blob:' && protocol !== 'data:') this.faults.push(`request: ${address}`);
  }
}
