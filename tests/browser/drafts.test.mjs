// Shared drafts in Chromium: two windows on one text, comments, history, a server that is killed, and who may only read.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { setting } from './tab.mjs';
import { DARK, DESKTOP, PHONE, closeBrowser, ownServer, windows } from './windows.mjs';

after(closeBrowser);

const box = (tab) => tab.page.getByRole('textbox', { name: 'Text of the draft' });
const saved = (tab, state) => tab.page.locator(`[data-testid="saved"][data-state="${state}"]`);
const threads = (tab, text) => tab.page.getByTestId('threads').locator('li.thread').filter({ hasText: text });
const fresh = () => `draft ${randomUUID().slice(0, 8)}`;

const trial = (options = DESKTOP, who = 'ADA') => ({ token: setting(`PARLOR_TOKEN_${who}`), options });

/** The text as a window shows it, line by line. */
function textOf(tab) {
  return box(tab).evaluate((content) => [...content.querySelectorAll('.cm-line')].map((line) => {
    const copy = line.cloneNode(true);
    for (const caret of copy.querySelectorAll('.caret, .cm-placeholder')) caret.remove();
    return copy.textContent;
  }).join('\n'));
}

async function eventually(tab, expected) {
  const until = Date.now() + 20_000;
  let text = await textOf(tab);
  while (text !== expected && Date.now() < until) {
    await tab.page.waitForTimeout(50);
    text = await textOf(tab);
  }
  assert.equal(text, expected);
}

/** Puts the cursor at the end and writes. */
async function write(tab, text) {
  await box(tab).focus();
  await tab.page.keyboard.press('Control+End');
  await tab.page.keyboard.insertText(text);
}

test('two windows write one draft, each sees the other’s cursor and name, and both who is there', async (t) => {
  const name = fresh();
  const [ada, ben] = await windows(t, `/#/drafts/${encodeURIComponent(name)}`, [trial(), trial(DARK, 'BEN')]);
  await saved(ada, 'saved').waitFor();
  await saved(ben, 'saved').waitFor();
  await write(ada, '# Minutes\n\nAda was here.');
  await eventually(ben, '# Minutes\n\nAda was here.');
  await write(ben, '\nSo was Ben.');
  await eventually(ada, '# Minutes\n\nAda was here.\nSo was Ben.');
  await ada.page.locator('.caret[data-name="Ben"]').waitFor();
  await ben.page.locator('.caret[data-name="Ada"]').waitFor();
  await box(ben).press('Shift+Home');
  await ada.page.locator('.selected').filter({ hasText: 'So was Ben.' }).waitFor();
  for (const tab of [ada, ben]) {
    for (const user of ['ada', 'ben']) await tab.page.getByTestId('people').locator(`[data-user="${user}"]`).waitFor();
    await saved(tab, 'saved').waitFor();
  }
  // Each takes back what was its own.
  await box(ada).press('Control+z');
  await eventually(ben, '\nSo was Ben.');
  await box(ada).press('Control+y');
  await eventually(ben, '# Minutes\n\nAda was here.\nSo was Ben.');
  await ada.page.getByTestId('drafts').getByRole('link', { name, exact: true }).waitFor();
  await ada.shoot('draft-desktop-light');
  await ben.shoot('draft-desktop-dark');
  await ben.page.close();
  await ada.page.locator('.caret').waitFor({ state: 'detached' });
  await ada.page.getByTestId('people').locator('[data-user="ben"]').waitFor({ state: 'detached' });
  ada.assertFaultless();
  ben.assertFaultless();
});

test('a comment stays with its words, is answered, and goes when it is resolved', async (t) => {
  const name = fresh();
  const [ada, ben] = await windows(t, `/#/drafts/${encodeURIComponent(name)}`, [trial(), trial(DARK, 'BEN')]);
  await saved(ada, 'saved').waitFor();
  await write(ada, 'We meet on Monday.');
  await eventually(ben, 'We meet on Monday.');
  await box(ben).press('Control+End');
  for (let letters = 0; letters < 'Monday.'.length; letters += 1) await box(ben).press('Shift+ArrowLeft');
  await box(ben).press('Control+Alt+m');
  await ben.page.getByLabel('Comment', { exact: true }).fill('Or <b>Tuesday</b>?');
  await ben.page.getByLabel('Comment', { exact: true }).press('Enter');
  await threads(ada, 'Or <b>Tuesday</b>?').waitFor();
  await ada.page.locator('.remark').filter({ hasText: 'Monday.' }).waitFor();

  await box(ada).press('Control+Home');
  await ada.page.keyboard.insertText('Dear all: ');
  await eventually(ben, 'Dear all: We meet on Monday.');
  for (const tab of [ada, ben]) {
    assert.deepEqual(await tab.page.locator('.remark').allInnerTexts(), ['Monday.'], 'the mark is where its words are');
  }
  assert.deepEqual(await ada.page.locator('.selected').allInnerTexts(), ['Monday.'], 'the selection is where its words are');

  await threads(ada, 'Tuesday').getByLabel('Answer').fill('Monday is better.');
  await threads(ada, 'Tuesday').getByRole('button', { name: 'Send' }).click();
  await threads(ben, 'Monday is better.').waitFor();
  await ada.shoot('draft-comments-desktop-light');
  await ada.page.reload();
  await threads(ada, 'Monday is better.').waitFor();
  await threads(ada, 'Tuesday').getByRole('button', { name: 'Resolve' }).click();
  for (const tab of [ada, ben]) {
    await tab.page.locator('.remark').waitFor({ state: 'detached' });
    await threads(tab, 'Tuesday').waitFor({ state: 'detached' });
  }
  await ben.page.getByRole('button', { name: 'Show 1 resolved' }).click();
  await threads(ben, 'Tuesday').getByRole('button', { name: 'Open again' }).click();
  await ada.page.locator('.remark').filter({ hasText: 'Monday.' }).waitFor();
  ada.assertFaultless();
  ben.assertFaultless();
});

test('the history says who wrote, shows what was, and brings it back in both windows', async (t) => {
  const name = fresh();
  const [ada, ben] = await windows(t, `/#/drafts/${encodeURIComponent(name)}`, [trial(), trial(PHONE, 'BEN')]);
  await saved(ada, 'saved').waitFor();
  await saved(ben, 'saved').waitFor();
  await write(ada, 'The first version.');
  await eventually(ben, 'The first version.');
  await saved(ada, 'saved').waitFor();
  await box(ben).press('Control+a');
  await ben.page.keyboard.insertText('All of it is gone.');
  await eventually(ada, 'All of it is gone.');
  await saved(ben, 'saved').waitFor();

  await ada.page.getByRole('button', { name: 'History' }).click();
  const runs = ada.page.getByTestId('runs').getByRole('button');
  await runs.nth(1).waitFor();
  assert.match(await runs.nth(0).innerText(), /^B?\s*Ben/);
  assert.match(await runs.nth(1).innerText(), /^A?\s*Ada/);
  await runs.nth(1).click();
  const version = ada.page.getByTestId('version');
  await version.getByText('The first version.').waitFor();
  await ada.shoot('draft-history-desktop-light');
  await version.getByRole('button', { name: 'Restore this version' }).click();
  await eventually(ben, 'The first version.');
  await eventually(ada, 'The first version.');
  await runs.nth(2).waitFor();
  await ben.shoot('draft-phone-dark');
  ada.assertFaultless();
  ben.assertFaultless();
});

test('a server that is killed in the middle loses nothing that was shown as saved, and both windows end equal', async (t) => {
  const { server, person } = await ownServer(t);
  const people = [person('ada'), person('ben', { options: DARK })];
  const [ada, ben] = await windows(t, '/#/drafts/minutes', people);
  await saved(ada, 'saved').waitFor();
  await saved(ben, 'saved').waitFor();
  await write(ada, 'Shown as saved.');
  await saved(ada, 'saved').waitFor();
  await saved(ada, 'saving').waitFor({ state: 'detached' });
  ada.expectLoss();
  ben.expectLoss();
  await server.stop('SIGKILL');
  for (const tab of [ada, ben]) await saved(tab, 'offline').waitFor();
  await write(ada, ' Ada goes on.');
  await write(ben, '\nBen, too.');
  for (const tab of [ada, ben]) await saved(tab, 'kept').waitFor();
  await ada.shoot('draft-offline-desktop-light');
  await server.restart();
  for (const tab of [ada, ben]) await saved(tab, 'saved').waitFor();
  const text = await textOf(ada);
  await eventually(ben, text);
  for (const part of ['Shown as saved.', ' Ada goes on.', '\nBen, too.']) assert.ok(text.includes(part), `${part} is in ${text}`);

  // What is saved is in the store: a third window has it from there alone.
  await server.stop('SIGKILL');
  await server.restart();
  const [third] = await windows(t, '/#/drafts/minutes', [person('cleo')]);
  await eventually(third, text);
});

test('whatever was shown as saved is there after a kill, also when nobody who wrote it comes back', async (t) => {
  const { server, person } = await ownServer(t);
  const [ada, ben] = await windows(t, '/#/drafts/log', [person('ada'), person('ben', { options: DARK })]);
  for (const tab of [ada, ben]) {
    await saved(tab, 'saved').waitFor();
    await tab.page.evaluate(() => {
      const state = document.querySelector('[data-testid="saved"]');
      const content = document.querySelector('.text').shadowRoot.querySelector('.cm-content');
      const words = () => content.textContent.match(/(ada|ben)\d+;/g) ?? [];
      new MutationObserver(() => {
        if (state.dataset.state === 'saved') globalThis.shownAsSaved = words();
      }).observe(state, { attributes: true, attributeFilter: ['data-state'] });
    });
  }
  const typed = { ada: 0, ben: 0 };
  let isDown = false;
  const type = async (tab, name) => {
    while (!isDown) {
      await write(tab, ` ${name}${typed[name]};`);
      typed[name] += 1;
      await tab.page.waitForTimeout(Math.random() * 40);
    }
  };
  const typing = [type(ada, 'ada'), type(ben, 'ben')];
  await ada.page.waitForTimeout(2_500);
  await server.stop('SIGKILL');
  isDown = true;
  await Promise.all(typing);
  const shown = [];
  for (const tab of [ada, ben]) {
    const words = await tab.page.evaluate(() => globalThis.shownAsSaved ?? []);
    assert.ok(words.length > 5, `only ${words} were shown as saved`);
    // What others wrote was stored before it was told.
    shown.push(...words);
    await tab.page.context().close();
  }
  await server.restart();
  const [cleo] = await windows(t, '/#/drafts/log', [person('cleo')]);
  await saved(cleo, 'saved').waitFor();
  const kept = new Set((await textOf(cleo)).match(/(ada|ben)\d+;/g));
  for (const word of shown) assert.ok(kept.has(word), `${word} was shown as saved`);
});

test('while one is offline both go on writing, and nothing is missing when it comes back', async (t) => {
  const name = fresh();
  const [ada, ben] = await windows(t, `/#/drafts/${encodeURIComponent(name)}`, [trial(), trial(DARK, 'BEN')]);
  await saved(ada, 'saved').waitFor();
  await write(ada, 'Begun together.');
  await eventually(ben, 'Begun together.');
  await ben.setOffline(true);
  await saved(ben, 'offline').waitFor();
  await write(ben, ' Offline.');
  await saved(ben, 'kept').waitFor();
  await box(ada).press('Control+Home');
  await ada.page.keyboard.insertText('Online. ');
  await saved(ada, 'saved').waitFor();
  await ben.setOffline(false);
  await saved(ben, 'saved').waitFor();
  for (const tab of [ada, ben]) await eventually(tab, 'Online. Begun together. Offline.');
  ada.assertFaultless();
  ben.assertFaultless();
});

/** Begins a comment on all of the text. */
async function remark(tab, text) {
  await box(tab).press('Control+a');
  await box(tab).press('Control+Alt+m');
  await tab.page.getByLabel('Comment', { exact: true }).fill(text);
  await tab.page.getByLabel('Comment', { exact: true }).press('Enter');
}

test('what is said offline counts as unsaved, is kept when the draft is left, and goes out when the network is back', async (t) => {
  const { person } = await ownServer(t);
  const [ada, ben] = await windows(t, '/#/drafts/minutes', [person('ada'), person('ben', { options: DARK })]);
  await saved(ada, 'saved').waitFor();
  await write(ada, 'We meet on Monday.');
  await remark(ada, 'First?');
  await threads(ben, 'First?').waitFor();
  await saved(ada, 'saved').waitFor();
  await ada.setOffline(true);
  await saved(ada, 'offline').waitFor();
  await threads(ada, 'First?').getByRole('button', { name: 'Resolve' }).click();
  await threads(ada, 'First?').getByRole('button', { name: 'Resolving…' }).waitFor();
  await remark(ada, 'Said offline.');
  await threads(ada, 'Said offline.').getByText('sending…').waitFor();
  await saved(ada, 'kept').waitFor();
  const isHeld = await ada.page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })));
  assert.equal(isHeld, true, 'a reload is asked about');
  await ada.shoot('draft-comments-offline-desktop-light');
  await ada.page.getByRole('link', { name: 'Dashboards' }).click();
  await ada.page.goBack();
  await threads(ada, 'Said offline.').getByText('sending…').waitFor();
  await ada.setOffline(false);
  await threads(ben, 'Said offline.').waitFor();
  await threads(ben, 'First?').waitFor({ state: 'detached' });
  await saved(ada, 'saved').waitFor();
  await threads(ada, 'Said offline.').getByText('sending…').waitFor({ state: 'detached' });
});

test('a comment that is refused says why, and is tried again or discarded as one likes', async (t) => {
  const { server, person } = await ownServer(t);
  const [ada] = await windows(t, '/#/documents', [person('ada')]);
  // As much is said as a draft may hold, but for some thousand bytes.
  await ada.page.evaluate(async (token) => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?${new URLSearchParams({ token, draftId: 'minutes' })}`);
    const add = (number) => {
      const data = { id: `long-${number}`, text: 'x'.repeat(16_000), ...(number > 0 ? { threadId: 'long-0' } : {}) };
      socket.send(JSON.stringify({ type: 'comment-add', data }));
    };
    let heard = 0;
    await new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        if (JSON.parse(data).type !== 'comment-added') return;
        heard += 1;
        if (heard < 65) add(heard);
        else resolve();
      };
      socket.onopen = () => add(0);
    });
    socket.close();
  }, person('ada').token);
  await ada.go('/#/drafts/minutes');
  await saved(ada, 'saved').waitFor();
  await write(ada, 'We meet on Monday.');
  await remark(ada, '議'.repeat(4_000));
  const refused = threads(ada, '議議議');
  await refused.getByText(/^This was refused: .*over the limit/).waitFor();
  await saved(ada, 'unsaid').waitFor();
  await refused.getByRole('button', { name: 'Discard' }).scrollIntoViewIfNeeded();
  await ada.shoot('draft-comment-refused-desktop-light');
  await refused.getByRole('button', { name: 'Try again' }).click();
  await refused.getByText(/^This was refused: .*over the limit/).waitFor();
  ada.expectLoss();
  await server.stop('SIGKILL');
  await server.restart();
  await saved(ada, 'unsaid').waitFor();
  await refused.getByText(/^This was refused: /).waitFor();
  await refused.getByRole('button', { name: 'Discard' }).click();
  await refused.waitFor({ state: 'detached' });
  await saved(ada, 'saved').waitFor();
});

test('a viewer reads along and comments, and cannot write', async (t) => {
  const { server, person } = await ownServer(t);
  const room = '/api/admin/rooms/draft/plan';
  await server.backend('PUT', room, { name: 'The plan', firmId: 'acme', visibility: 'private' });
  await server.backend('PUT', `${room}/members/ada`, { role: 'editor' });
  await server.backend('PUT', `${room}/members/vic`, { role: 'viewer' });
  const people = [person('ada'), person('vic', { options: DARK }), person('eve')];
  const [ada, vic, eve] = await windows(t, '/#/drafts/plan', people);
  await saved(ada, 'saved').waitFor();
  await saved(vic, 'readonly').waitFor();
  await eve.page.getByText('The draft is not open').waitFor();
  await write(ada, 'Only to be read.');
  await eventually(vic, 'Only to be read.');
  assert.equal(await box(vic).getAttribute('contenteditable'), 'false');
  await box(vic).focus();
  await vic.page.keyboard.press('Control+a');
  await vic.page.keyboard.type('x');
  await vic.page.keyboard.press('Delete');
  await vic.page.getByRole('button', { name: 'Comment on the selection' }).click();
  await vic.page.getByLabel('Comment', { exact: true }).fill('Is that all?');
  await vic.page.getByLabel('Comment', { exact: true }).press('Enter');
  await threads(ada, 'Is that all?').getByText('Only to be read.').waitFor();
  await vic.page.getByRole('button', { name: 'History' }).click();
  await vic.page.getByTestId('runs').getByRole('button').first().click();
  assert.equal(await vic.page.getByRole('button', { name: 'Restore this version' }).isDisabled(), true);
  await vic.page.getByRole('button', { name: 'Back to the draft' }).click();
  await eventually(ada, 'Only to be read.');
  await eventually(vic, 'Only to be read.');
  ada.assertFaultless();
  vic.assertFaultless();
});
