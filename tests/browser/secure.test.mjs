// The console over TLS, in a Chromium that believes the certificate of the test's own server and no other like it.

import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { after, test } from 'node:test';
import { Parlor, token } from '../clients/parlor.mjs';
import { launch, Tab } from './tab.mjs';
import { DARK, DESKTOP, PHONE } from './windows.mjs';

const LETTER = {
  name: 'Letter',
  questions: [
    { key: 'to', question: 'To whom?' },
    { key: 'text', question: 'What do you write?' },
  ],
  body: 'Dear {{to}}, {{text}}',
};

const server = await Parlor.startSecure({ after }, { CREATE_ON_OPEN: true });
await server.backend('PUT', '/api/admin/templates/letter', LETTER);
await server.room('lobby');
await server.project('biography', { ada: 'facilitator' });
const browser = await launch([`--ignore-certificate-errors-spki-list=${fingerprint(server.ca)}`]);
after(() => browser.close());

/** What Chromium knows a certificate's key by. */
function fingerprint(certificate) {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

/** A window of a person at a place; `sockets` holds the addresses of all that it opens. */
async function open(t, person, place, options = DESKTOP) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const sockets = [];
  context.on('page', (page) => page.on('websocket', (socket) => sockets.push(new URL(socket.url()))));
  return { tab: await Tab.open(context, token(person), place, server.url), sockets };
}

/** All that was done went over TLS, to this server, by these endpoints, and nothing was wrong with it. */
function assertSecure({ tab, sockets }, ...paths) {
  tab.assertFaultless();
  const { origin, host } = new URL(server.url);
  assert.equal(new URL(tab.page.url()).origin, origin);
  const opened = sockets.map(({ protocol, host, pathname }) => `${protocol}//${host}${pathname}`);
  assert.deepEqual(new Set(opened), new Set(paths.map((path) => `wss://${host}${path}`)));
}

test('a page of a server whose certificate is not believed does not open', async (t) => {
  const stranger = await Parlor.startSecure(t);
  const page = await browser.newPage();
  t.after(() => page.close());
  await assert.rejects(page.goto(stranger.url), /ERR_CERT_AUTHORITY_INVALID/);
});

test('answers are saved, are there after a reload, and become a document', async (t) => {
  const ada = await open(t, 'ada', '/#/documents/template/letter');
  const { page } = ada.tab;
  const turns = page.getByTestId('turns');
  const answer = async (question, text) => {
    await turns.locator('li.theirs').filter({ hasText: question }).waitFor();
    await page.getByLabel('Your answer').fill(text);
    await page.locator('.send:not([disabled])').click();
  };
  await answer('To whom?', 'Ben');
  await turns.locator('li.theirs').filter({ hasText: 'What do you write?' }).waitFor();
  await page.reload();
  await turns.locator('li.mine').filter({ hasText: 'Ben' }).waitFor();
  await answer('What do you write?', 'Hello.');
  await page.getByTestId('document').waitFor();
  assert.match(await page.getByTestId('document').innerText(), /Dear Ben, Hello\./);
  await ada.tab.shoot('secure-document-desktop-light');
  assertSecure(ada, '/documents');
});

test('two people chat, and a message of one is in the other’s window', async (t) => {
  const [ada, ben] = [await open(t, 'ada', '/#/chat/lobby', DARK), await open(t, 'ben', '/#/chat/lobby', PHONE)];
  const box = (tab) => tab.page.getByLabel('Message', { exact: true });
  for (const [from, to, text] of [[ada, ben, 'Hello, Ben'], [ben, ada, 'Hello, Ada']]) {
    await box(from.tab).fill(text);
    await box(from.tab).press('Enter');
    for (const { tab } of [from, to]) await tab.page.locator('[data-testid="messages"] li[data-seq]').filter({ hasText: text }).waitFor();
  }
  await ada.tab.shoot('secure-chat-desktop-dark');
  await ben.tab.shoot('secure-chat-phone-dark');
  for (const one of [ada, ben]) assertSecure(one, '/chat');
});

test('a project, a dashboard and a draft connect by their own ways', async (t) => {
  const project = await open(t, 'ada', '/#/projects/biography');
  await project.tab.page.getByText('as facilitator').waitFor();
  await server.backend('POST', '/api/events', { event: 'story_uploaded', data: { story: { title: 'The summer' } }, to: { projectId: 'biography' } });
  await project.tab.page.getByTestId('feed').getByText('The summer').waitFor();
  await project.tab.shoot('secure-project-desktop-light');
  assertSecure(project, '/api/connect');

  const dashboard = await open(t, 'ada', '/#/dashboards/figures');
  await dashboard.tab.page.locator('[data-testid="state"][data-connection="open"]').waitFor();
  assertSecure(dashboard, '/api/realtime');

  const draft = await open(t, 'ada', '/#/drafts/minutes');
  await draft.tab.page.locator('[data-testid="saved"][data-state="saved"]').waitFor();
  const box = ({ tab }) => tab.page.getByRole('textbox', { name: 'Text of the draft' });
  const beside = await open(t, 'ada', '/#/drafts/minutes');
  await beside.tab.page.locator('[data-testid="saved"][data-state="saved"]').waitFor();
  await box(draft).fill('Ada was here.');
  await box(beside).filter({ hasText: 'Ada was here.' }).waitFor();
  assertSecure(draft, '/hocuspocus', '/ws');
});
