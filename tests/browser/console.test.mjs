// The console end to end, in Chromium, against the server at PARLOR_URL: a whole document, and a chat.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, setting, Tab } from './tab.mjs';

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' };
const DESKTOP = { viewport: { width: 1200, height: 800 } };
/** A template is expected to ask at most so many questions. */
const QUESTIONS_MAX = 30;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** A word that no other run uses, with nothing in it that Markdown could mean. */
const word = () => randomUUID().replaceAll('-', '').slice(0, 12);

/** Runs `steps` with one new context for each name, and closes them. */
async function withContexts(options, steps) {
  const contexts = await Promise.all(options.map((option) => browser.newContext(option)));
  try {
    await steps(...contexts);
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
  }
}

const questions = (tab) => tab.page.getByTestId('turns').locator('li.theirs');
const answers = (tab) => tab.page.getByTestId('turns').locator('li.mine');
const paper = (tab) => tab.page.getByTestId('document');
const answerBox = (tab) => tab.page.getByLabel('Your answer');
const templatePlace = () => `/#/documents/template/${encodeURIComponent(setting('PARLOR_TEMPLATE'))}`;

/** Answers the open question and waits for what follows it. Returns whether the document is there. */
async function answer(tab, text) {
  const asked = await questions(tab).count();
  await answerBox(tab).fill(text);
  await tab.page.locator('.send:not([disabled])').waitFor();
  await answerBox(tab).press('Enter');
  await questions(tab).nth(asked).or(paper(tab)).first().waitFor();
  return paper(tab).isVisible();
}

async function beginAfresh(tab) {
  await tab.go(templatePlace());
  await questions(tab).first().waitFor();
  await tab.page.getByRole('button', { name: 'Start afresh' }).click();
  const again = tab.page.waitForEvent('websocket');
  await tab.page.getByRole('dialog').getByRole('button', { name: 'Start afresh' }).click();
  assert.match((await again).url(), /[?&]session=new(&|$)/);
  await answers(tab).first().waitFor({ state: 'detached' });
  await tab.page.locator('.turns li.theirs:only-child').waitFor();
}

test('a whole document: reloaded, superseded, taken back, finished and downloaded', async () => {
  await withContexts([{ ...DESKTOP, acceptDownloads: true }], async (context) => {
    const token = setting('PARLOR_TOKEN_ADA');
    const tab = await Tab.open(context, token, '/#/documents');
    await tab.page.getByTestId('templates').getByRole('link').first().waitFor();
    await tab.shoot('documents-desktop-light');

    await beginAfresh(tab);
    const said = [`Ada ${word()}`];
    assert.equal(await answer(tab, said[0]), false, 'the template asks more than one question');
    await tab.shoot('interview-desktop-light');

    const before = await questions(tab).allInnerTexts();
    await answerBox(tab).fill('a draft that is not sent');
    await tab.page.reload();
    await questions(tab).nth(1).waitFor();
    assert.deepEqual(await questions(tab).allInnerTexts(), before, 'the questions are there after a reload');
    assert.equal(await answers(tab).locator('.bubble').innerText(), said[0]);
    assert.equal(await answerBox(tab).inputValue(), 'a draft that is not sent');

    const second = await Tab.open(context, token, templatePlace());
    await answers(second).first().waitFor();
    await tab.page.getByText('This conversation was opened in another tab').waitFor();
    assert.equal(await answerBox(tab).isDisabled(), true);
    await tab.shoot('superseded-desktop-light');
    await tab.page.getByRole('button', { name: 'Continue here' }).click();
    await second.page.getByText('This conversation was opened in another tab').waitFor();
    second.assertFaultless();
    await second.page.close();

    for (let isDone = false; !isDone; ) {
      assert.ok(said.length < QUESTIONS_MAX, `the document is there within ${QUESTIONS_MAX} questions`);
      said.push(`Answer ${said.length + 1} ${word()}`);
      isDone = await answer(tab, said.at(-1));
    }
    await tab.page.getByRole('heading', { name: 'Your document is ready' }).waitFor();
    await tab.shoot('document-desktop-light');
    const shown = await paper(tab).innerText();

    const markdown = await download(tab, 'Markdown', /\.md$/);
    const html = await download(tab, 'HTML', /\.html$/);
    for (const text of said.filter((text) => shown.includes(text))) {
      assert.ok(markdown.includes(text) && html.includes(text), `both downloads hold “${text}”`);
    }
    assert.ok(said.some((text) => shown.includes(text)), 'the document holds an answer');

    await tab.page.getByRole('link', { name: 'All documents' }).click();
    await tab.page.getByTestId('documents').getByRole('link').first().waitFor();
    tab.assertFaultless();
  });
});

async function download(tab, name, ending) {
  const started = tab.page.waitForEvent('download');
  await tab.page.getByRole('button', { name }).click();
  const file = await started;
  assert.match(file.suggestedFilename(), ending);
  return readFile(await file.path(), 'utf8');
}

test('an answer given while the connection is lost is neither lost nor doubled', async () => {
  await withContexts([PHONE], async (context) => {
    const tab = await Tab.open(context, setting('PARLOR_TOKEN_BEN'), '/#/documents');
    await beginAfresh(tab);
    const text = `Ben ${word()}`;
    await answerBox(tab).fill(text);
    await tab.setOffline(true);
    await tab.page.getByText('The connection is lost').waitFor();
    assert.equal(await tab.page.locator('.send').isDisabled(), true);
    await tab.setOffline(false);
    await tab.page.locator('.send:not([disabled])').waitFor();
    await answerBox(tab).press('Enter');
    await tab.setOffline(true);
    await tab.setOffline(false);
    await questions(tab).nth(1).waitFor();
    assert.deepEqual(await answers(tab).locator('.bubble').allInnerTexts(), [text]);
    await tab.shoot('interview-phone-dark');
    await assertFits(tab);
    tab.assertFaultless();
  });
});

const messages = (tab) => tab.page.getByTestId('messages').locator('li[data-seq]');
const messageBox = (tab) => tab.page.getByLabel('Message', { exact: true });
const roomPlace = () => `/#/chat/${encodeURIComponent(setting('PARLOR_ROOM'))}`;

async function post(tab, text) {
  await messageBox(tab).fill(text);
  await messageBox(tab).press('Enter');
}

const stored = (tab, text) => messages(tab).filter({ hasText: text });

/** The room's messages of this run, by number, as a tab shows them. */
async function heard(tab, run) {
  const rows = await messages(tab).filter({ hasText: run }).all();
  return Promise.all(rows.map(async (row) => [await row.getAttribute('data-seq'), await row.locator('.bubble').innerText()]));
}

test('two people chat; one goes offline and comes back, and misses nothing', async () => {
  await withContexts([DESKTOP, PHONE], async (adas, bens) => {
    const run = word();
    const ada = await Tab.open(adas, setting('PARLOR_TOKEN_ADA'), roomPlace());
    const ben = await Tab.open(bens, setting('PARLOR_TOKEN_BEN'), roomPlace());
    await ada.page.locator('[data-testid="members"] li[data-online="true"]').nth(1).waitFor();

    await post(ada, `${run} hello <img src=x onerror=alert(1)>`);
    await stored(ben, `${run} hello <img src=x onerror=alert(1)>`).waitFor();
    await post(ben, `${run} hello to you`);
    await stored(ada, `${run} hello to you`).waitFor();
    await ada.shoot('chat-desktop-light');
    await ben.shoot('chat-phone-dark');
    await assertFits(ben);

    await ben.setOffline(true);
    await ben.page.getByText('The connection is lost').waitFor();
    for (const word of ['one', 'two', 'three']) {
      await post(ada, `${run} while you were away: ${word}`);
      await stored(ada, `${run} while you were away: ${word}`).waitFor();
    }
    await post(ben, `${run} written offline`);
    await ben.page.getByText('waiting for the connection').waitFor();
    await ben.shoot('chat-offline-phone-dark');
    await ben.setOffline(false);
    await stored(ben, `${run} written offline`).waitFor();
    await stored(ada, `${run} written offline`).waitFor();
    await post(ada, `${run} good to have you back`);
    await stored(ben, `${run} good to have you back`).waitFor();
    await stored(ada, `${run} good to have you back`).waitFor();

    const ofAda = await heard(ada, run);
    assert.deepEqual(await heard(ben, run), ofAda, 'both see the same messages in the same order');
    assert.deepEqual(
      ofAda.map(([, text]) => text.slice(run.length + 1)),
      [
        'hello <img src=x onerror=alert(1)>',
        'hello to you',
        'while you were away: one',
        'while you were away: two',
        'while you were away: three',
        'written offline',
        'good to have you back',
      ],
    );
    const numbers = ofAda.map(([seq]) => Number(seq));
    assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index), 'numbered without a gap');
    ada.assertFaultless();
    ben.assertFaultless();
  });
});

test('a room is made, and its earlier messages come when one scrolls back', async () => {
  await withContexts([DESKTOP, { ...DESKTOP, colorScheme: 'dark' }], async (adas, bens) => {
    const name = `Room ${word()}`;
    const ada = await Tab.open(adas, setting('PARLOR_TOKEN_ADA'), '/#/chat');
    await ada.page.getByRole('button', { name: 'New room' }).click();
    await ada.page.getByLabel('Name').fill(name);
    await ada.shoot('new-room-desktop-light');
    await ada.page.getByRole('button', { name: 'Create' }).click();
    await ada.page.getByRole('heading', { name }).waitFor();
    for (let number = 1; number <= 55; number += 1) await post(ada, `note ${number}.`);
    await stored(ada, 'note 55.').waitFor();

    const ben = await Tab.open(bens, setting('PARLOR_TOKEN_BEN'), '/#/chat');
    await ben.page.getByTestId('rooms').getByRole('link', { name }).click();
    await stored(ben, 'note 55.').waitFor();
    // As somebody at a keyboard does: where the button stands among the messages does not matter then.
    await ben.page.getByRole('button', { name: 'Show earlier messages' }).press('Enter');
    await stored(ben, 'note 1.').waitFor();
    const texts = await messages(ben).locator('.bubble').allInnerTexts();
    assert.deepEqual(texts, Array.from({ length: 55 }, (_, index) => `note ${index + 1}.`));
    await ben.shoot('chat-history-desktop-dark');
    ada.assertFaultless();
    ben.assertFaultless();
  });
});

test('without a good token there is a form to sign in, and it says what is wrong', async () => {
  await withContexts([PHONE], async (context) => {
    const tab = new Tab(await context.newPage());
    await tab.go('/');
    const box = tab.page.getByLabel('Token');
    await box.fill('no token');
    await tab.page.getByRole('button', { name: 'Sign in' }).click();
    await tab.page.getByText('This is not a token').waitFor();
    await tab.shoot('sign-in-phone-dark');
    await assertFits(tab);
    await box.fill(setting('PARLOR_TOKEN_ADA'));
    await tab.page.getByRole('button', { name: 'Sign in' }).click();
    await tab.page.getByTestId('templates').getByRole('link').first().waitFor();
    await tab.shoot('documents-phone-dark');
    await assertFits(tab);
    await tab.page.getByTestId('account').locator('summary').click();
    await tab.page.getByRole('button', { name: 'Sign out' }).click();
    await box.waitFor();
    assert.equal(await tab.page.evaluate(() => sessionStorage.getItem('parlor.token')), null);
    tab.assertFaultless();
  });
});

/** Nothing stands out to the side of a phone. */
async function assertFits(tab) {
  const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, tab.page.viewportSize().width);
}
