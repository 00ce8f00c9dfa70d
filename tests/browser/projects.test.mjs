// A project in two windows, and the form that plays its backend, in Chromium.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { launch, setting, Tab } from './tab.mjs';

const DESKTOP = { viewport: { width: 1200, height: 800 } };
const PLACE = '/#/projects/biography';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const entries = (tab, text) => tab.page.getByTestId('feed').locator('li.entry').filter({ hasText: text });
const outcome = (tab, text) => tab.page.getByTestId('backend-outcome').getByText(text);

/** Plays the backend in a tab. */
async function tell(tab, event, data, role = '') {
  await tab.page.getByLabel('Event').selectOption(event);
  await tab.page.getByLabel('Data').fill(JSON.stringify(data));
  await tab.page.getByLabel('Heard by').selectOption(role);
  await tab.page.getByLabel('Service key').fill(setting('PARLOR_SERVICE_KEY'));
  await tab.page.getByRole('button', { name: 'Send' }).click();
}

test('what a backend tells a project is seen by its members, by those of a role, and caught up with', async () => {
  const contexts = await Promise.all([browser.newContext(DESKTOP), browser.newContext({ ...DESKTOP, colorScheme: 'dark' })]);
  try {
    const run = randomUUID().slice(0, 8);
    const ada = await Tab.open(contexts[0], setting('PARLOR_TOKEN_ADA'), '/#/projects');
    await ada.page.getByTestId('projects').getByRole('link', { name: /Biography/ }).click();
    const ben = await Tab.open(contexts[1], setting('PARLOR_TOKEN_BEN'), PLACE);
    await ada.page.getByText('as facilitator').waitFor();
    await ben.page.getByText('as storyteller').waitFor();
    await ben.page.getByTestId('feed').locator('li').first().waitFor();

    await tell(ada, 'story_uploaded', { story: { title: `${run} The summer` } });
    await outcome(ada, /^story_uploaded: stored as #\d+, heard by 2$/).waitFor();
    await entries(ada, `${run} The summer`).waitFor();
    await entries(ben, `${run} The summer`).waitFor();

    await tell(ada, 'interaction_added', { text: `${run} For those who lead` }, 'facilitator');
    await outcome(ada, /^interaction_added: stored as #\d+, heard by 1$/).waitFor();
    await entries(ada, `${run} For those who lead`).waitFor();

    for (const progress of [10, 70]) await tell(ada, 'export_progress', { exportId: run, progress });
    await outcome(ada, /^export_progress: not stored, heard by 2$/).waitFor();
    await entries(ben, `"exportId": "${run}"`).filter({ hasText: '70' }).waitFor();
    assert.equal(await entries(ben, `"exportId": "${run}"`).count(), 1, 'progress is shown once, at its newest');

    await ben.setOffline(true);
    await ben.page.getByText('The connection was lost').waitFor();
    await tell(ada, 'export_ready', { exportId: run, url: `/exports/${run}.pdf` });
    await outcome(ada, /^export_ready: stored as #\d+, heard by 1$/).waitFor();
    await ben.setOffline(false);
    await entries(ben, `/exports/${run}.pdf`).waitFor();
    assert.equal(await entries(ben, `${run} For those who lead`).count(), 0, 'another role hears nothing');
    assert.equal(await entries(ben, `${run} The summer`).count(), 1, 'nothing is told twice');
    await ada.shoot('project-desktop-light');
    await ben.shoot('project-desktop-dark');

    await ada.page.getByLabel('Data').fill('{"not": json}');
    await ada.page.getByRole('button', { name: 'Send' }).click();
    await outcome(ada, /^The data is no JSON/).waitFor();
    ada.assertFaultless();
    ben.assertFaultless();
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
  }
});

test('without the service key the form says why nothing was told', async () => {
  const context = await browser.newContext(DESKTOP);
  try {
    const ada = await Tab.open(context, setting('PARLOR_TOKEN_ADA'), PLACE);
    await ada.page.getByText('as facilitator').waitFor();
    await ada.page.getByLabel('Service key').fill('not the key');
    await ada.page.getByRole('button', { name: 'Send' }).click();
    await outcome(ada, 'authentication failed').waitFor();
  } finally {
    await context.close();
  }
});
