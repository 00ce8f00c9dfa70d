// Windows of several people, and a server of the test's own that can be stopped and started again.

import { Parlor, token } from '../clients/parlor.mjs';
import { Tab, launch } from './tab.mjs';

export const DESKTOP = { viewport: { width: 1280, height: 820 } };
export const DARK = { ...DESKTOP, colorScheme: 'dark' };
export const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' };

let browser;

/** Ends the browser, if one was needed. */
export function closeBrowser() {
  return browser?.close();
}

/**
 * Opens a window of each person at a place; they close with the test.
 * @param {import('node:test').TestContext} test
 * @param {string} place
 * @param {{token: string, options?: object, url?: string, prepare?: (page: import('playwright-core').Page) => Promise<void>}[]} people
 * @returns {Promise<Tab[]>}
 */
export async function windows(test, place, people) {
  browser ??= await launch();
  const open = async ({ token: own, options = DESKTOP, url, prepare }) => {
    const context = await browser.newContext(options);
    test.after(() => context.close());
    await prepare?.(context);
    return Tab.open(context, own, place, url);
  };
  return Promise.all(people.map(open));
}

/**
 * A server on which rooms are made by opening them, and a person's way into it.
 * @param {import('node:test').TestContext} test
 */
export async function ownServer(test) {
  const server = await Parlor.start(test, { CREATE_ON_OPEN: 'true' });
  const person = (name, more = {}) => ({ token: token(name), url: server.url, ...more });
  return { server, person };
}
