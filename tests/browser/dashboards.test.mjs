// Dashboards in Chromium: cards that are dragged, edited and contested in two windows, offline, and without a socket.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DARK, PHONE, closeBrowser, ownServer, windows } from './windows.mjs';

after(closeBrowser);

const card = (tab, title) => tab.page.getByRole('article', { name: title, exact: true });
const live = (tab) => tab.page.locator('[data-testid="state"][data-connection="open"][data-pending="0"]');
const state = (tab) => tab.page.getByTestId('state');
const conflict = (tab) => tab.page.getByTestId('conflict');

/** Adds a card and gives it fields. */
async function add(tab, kind, fields) {
  await tab.page.locator('.adder summary').click();
  await tab.page.locator('.kind').filter({ hasText: kind }).click();
  await fill(tab, fields);
  await save(tab);
}

async function openForm(tab, title) {
  await card(tab, title).hover();
  await tab.page.getByRole('button', { name: `Edit ${title}`, exact: true }).click();
}

async function fill(tab, fields) {
  for (const [name, set] of Object.entries(fields)) await tab.page.locator(`[data-field="${name}"]`).locator('input, textarea').fill(String(set));
}

async function save(tab) {
  await tab.page.getByRole('button', { name: 'Save' }).click();
  await tab.page.getByRole('dialog').waitFor({ state: 'detached' });
}

async function edit(tab, title, fields) {
  await openForm(tab, title);
  await fill(tab, fields);
  await save(tab);
}

/** Where a card lies, in columns and rows. */
async function placeOf(tab, title) {
  return card(tab, title).evaluate(({ style }) => {
    const columns = (size) => Math.round((parseFloat(size) * 12) / 100);
    const rows = (size) => Math.round(parseFloat(size) / 72);
    return [columns(style.left), rows(style.top), columns(style.width), rows(style.height)];
  });
}

async function eventually(look, expected) {
  const until = Date.now() + 20_000;
  let seen = await look();
  while (JSON.stringify(seen) !== JSON.stringify(expected) && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    seen = await look();
  }
  assert.deepEqual(seen, expected);
}

async function drag(tab, handle, columns, rows) {
  const { x, y } = await handle.boundingBox();
  const width = (await tab.page.getByTestId('board').boundingBox()).width / 12;
  await tab.page.mouse.move(x + 8, y + 8);
  await tab.page.mouse.down();
  await tab.page.mouse.move(x + 8 + (columns * width) / 2, y + 8 + rows * 36, { steps: 5 });
  await tab.page.mouse.move(x + 8 + columns * width, y + 8 + rows * 72, { steps: 5 });
  await tab.page.mouse.up();
}

/** A server of its own with a dashboard that the backend knows. */
async function ownBoard(t) {
  const { server, person } = await ownServer(t);
  const room = '/api/admin/rooms/dashboard/plan';
  await server.backend('PUT', room, { name: 'The plan', firmId: 'acme', visibility: 'private' });
  for (const user of ['ada', 'ben']) await server.backend('PUT', `${room}/members/${user}`, { role: 'editor' });
  const people = ['ada', 'ben'].map((user) => person(user));
  return { server, room, people };
}

/** Two windows on one board with a figure on it. */
async function pair(t) {
  const { people } = await ownBoard(t);
  const [ada, ben] = await windows(t, '/#/dashboards/plan', [people[0], { ...people[1], options: DARK }]);
  await live(ada).waitFor();
  await live(ben).waitFor();
  await add(ada, 'Figure', { title: 'Sales', value: 10, unit: 'units' });
  await card(ben, 'Sales').getByText('10').waitFor();
  await live(ada).waitFor();
  return [ada, ben];
}

test('a card that is dragged, resized or stepped moves in the other window, and an earlier layout comes back', async (t) => {
  const [ada, ben] = await pair(t);
  await add(ada, 'Note', { title: 'Hint', text: 'Read <b>this</b>.' });
  await card(ben, 'Hint').getByText('Read <b>this</b>.').waitFor();
  assert.deepEqual(await placeOf(ben, 'Sales'), [0, 0, 3, 2]);
  assert.deepEqual(await placeOf(ben, 'Hint'), [3, 0, 4, 3]);

  await card(ada, 'Hint').hover();
  await drag(ada, card(ada, 'Hint').getByRole('button', { name: 'Move Hint' }), -2, 0);
  // Who is in the way moves down.
  for (const tab of [ada, ben]) {
    await eventually(() => placeOf(tab, 'Hint'), [1, 0, 4, 3]);
    await eventually(() => placeOf(tab, 'Sales'), [0, 3, 3, 2]);
  }
  await card(ben, 'Sales').hover();
  await drag(ben, card(ben, 'Sales').getByRole('button', { name: 'Resize Sales' }), 2, 1);
  await eventually(() => placeOf(ada, 'Sales'), [0, 3, 5, 3]);
  await card(ada, 'Sales').getByRole('button', { name: 'Move Sales' }).focus();
  await ada.page.keyboard.press('ArrowRight');
  await ada.page.keyboard.press('ArrowDown');
  await eventually(() => placeOf(ben, 'Sales'), [1, 4, 5, 3]);
  await live(ada).waitFor();
  await ada.shoot('dashboard-desktop-light');

  await ben.page.getByRole('button', { name: 'Layouts' }).click();
  await ben.page.getByRole('button', { name: 'Restore layout 2', exact: true }).click();
  for (const tab of [ada, ben]) {
    await eventually(() => placeOf(tab, 'Hint'), [3, 0, 4, 3]);
    await eventually(() => placeOf(tab, 'Sales'), [0, 0, 3, 2]);
  }
  await ben.shoot('dashboard-layouts-desktop-dark');
  await card(ada, 'Hint').hover();
  await ada.page.getByRole('button', { name: 'Delete Hint' }).click();
  await card(ben, 'Hint').waitFor({ state: 'detached' });
  ada.assertFaultless();
  ben.assertFaultless();
});

test('fields of one card that two change are put together; the same field is a conflict, resolved each way', async (t) => {
  const [ada, ben] = await pair(t);
  await openForm(ada, 'Sales');
  await fill(ada, { value: 11 });
  await edit(ben, 'Sales', { unit: 'boxes' });
  await save(ada);
  for (const tab of [ada, ben]) await card(tab, 'Sales').getByText('11boxes').waitFor();

  const contest = async (mine, theirs, resolve, expected) => {
    await openForm(ada, 'Sales');
    await fill(ada, mine);
    await edit(ben, 'Sales', theirs);
    await ada.page.getByText(`Somebody has set it to ${theirs.value} meanwhile.`).waitFor();
    await save(ada);
    await ada.page.getByText('Sales was changed by you and by somebody else.').waitFor();
    await ada.page.getByRole('button', { name: 'Decide' }).click();
    await conflict(ada).locator('tr[data-field="value"]').getByText(String(theirs.value)).waitFor();
    await ada.shoot('dashboard-conflict-desktop-light');
    await resolve();
    for (const tab of [ada, ben]) {
      await card(tab, 'Sales').getByText(expected).waitFor();
      await live(tab).waitFor();
    }
    await ada.page.getByText('was changed by you').waitFor({ state: 'detached' });
  };
  const press = (name) => () => conflict(ada).getByRole('button', { name }).click();
  await contest({ value: 20 }, { value: 30 }, press('Keep mine'), '20boxes');
  await contest({ value: 21 }, { value: 31 }, press('Take theirs'), '31boxes');
  const chosen = async () => {
    await conflict(ada).locator('tr[data-field="unit"]').getByRole('radio').nth(1).check();
    await conflict(ada).locator('tr[data-field="value"]').getByRole('radio').nth(0).check();
    await press('Use what is chosen')();
  };
  await contest({ value: 22, unit: 'tons' }, { value: 32, unit: 'crates' }, chosen, '22crates');
  ada.assertFaultless();
  ben.assertFaultless();
});

/** Does something in a window that is offline, and something else in the other, before it comes back. */
async function apart(ada, ben, mine, theirs) {
  await ada.setOffline(true);
  await ada.page.locator('[data-testid="state"][data-connection="waiting"]').waitFor();
  await mine();
  await theirs();
  await live(ben).waitFor();
  await ada.setOffline(false);
  await ada.page.locator('[data-testid="state"][data-connection="open"]').waitFor();
}

test('who moves another card is not asked, who moves the same one is, and so is who deletes what was changed', async (t) => {
  const [ada, ben] = await pair(t);
  await add(ada, 'Figure', { title: 'Costs', value: 5, unit: 'units' });
  await card(ben, 'Costs').getByText('5units').waitFor();
  await live(ada).waitFor();
  const step = async (tab, title, key) => {
    await card(tab, title).getByRole('button', { name: `Move ${title}` }).focus();
    await tab.page.keyboard.press(key);
  };
  await apart(ada, ben, () => step(ada, 'Costs', 'ArrowDown'), () => step(ben, 'Sales', 'ArrowDown'));
  for (const tab of [ada, ben]) {
    await eventually(() => placeOf(tab, 'Costs'), [3, 1, 3, 2]);
    await eventually(() => placeOf(tab, 'Sales'), [0, 1, 3, 2]);
  }
  assert.equal(await ada.page.getByText('was changed by you').count(), 0);

  await apart(ada, ben, () => step(ada, 'Costs', 'ArrowRight'), () => step(ben, 'Costs', 'ArrowDown'));
  await ada.page.getByText('The layout was changed by you and by somebody else.').waitFor();
  await ada.page.getByRole('button', { name: 'Decide' }).click();
  await ada.shoot('dashboard-layout-conflict-desktop-light');
  await conflict(ada).getByRole('button', { name: 'Keep mine' }).click();
  for (const tab of [ada, ben]) await eventually(() => placeOf(tab, 'Costs'), [4, 1, 3, 2]);

  const remove = async () => {
    await card(ada, 'Costs').hover();
    await ada.page.getByRole('button', { name: 'Delete Costs' }).click();
    await card(ada, 'Costs').waitFor({ state: 'detached' });
  };
  await apart(ada, ben, remove, () => edit(ben, 'Costs', { value: 6 }));
  await card(ada, 'Costs').getByText('6units').waitFor();
  await ada.page.getByRole('button', { name: 'Decide' }).click();
  await conflict(ada).getByText('You have deleted it.').waitFor();
  await conflict(ada).getByRole('button', { name: 'Keep mine' }).click();
  for (const tab of [ada, ben]) await card(tab, 'Costs').waitFor({ state: 'detached' });

  await apart(ada, ben, () => edit(ada, 'Sales', { value: 12 }), async () => {
    await card(ben, 'Sales').hover();
    await ben.page.getByRole('button', { name: 'Delete Sales' }).click();
  });
  await ada.page.getByRole('button', { name: 'Decide' }).click();
  await conflict(ada).getByText('It was deleted while you changed it.').waitFor();
  await conflict(ada).getByRole('button', { name: 'Take theirs' }).click();
  await ada.page.getByText('Nothing is on this dashboard yet.').waitFor();
  ada.assertFaultless();
  ben.assertFaultless();
});

test('offline everything goes on, is counted, and is applied once when the server is back', async (t) => {
  const { server, person } = await ownServer(t);
  const [ada, ben] = await windows(t, '/#/dashboards/plan', [person('ada'), person('ben', { options: PHONE })]);
  await live(ada).waitFor();
  await add(ada, 'Figure', { title: 'Sales', value: 10, unit: 'units' });
  await add(ada, 'Figure', { title: 'Costs', value: 5, unit: 'units' });
  await live(ada).waitFor();
  await card(ben, 'Costs').waitFor();
  ada.expectLoss();
  ben.expectLoss();
  await server.stop('SIGKILL');
  await ada.page.locator('[data-testid="state"][data-connection="waiting"]').waitFor();
  await edit(ada, 'Sales', { value: 11 });
  await edit(ada, 'Sales', { unit: 'boxes' });
  await edit(ada, 'Costs', { value: 6 });
  await add(ada, 'Note', { title: 'Written offline', text: 'Nobody sees it yet.' });
  await card(ada, 'Costs').getByRole('button', { name: 'Move Costs' }).focus();
  await ada.page.keyboard.press('ArrowDown');
  // Changes of one card are put together, but not with those that went out already in an attempt to reach the server.
  assert.ok(Number(await state(ada).getAttribute('data-pending')) >= 4);
  await state(ada).getByText(/^Offline · \d changes wait$/).waitFor();
  await ada.shoot('dashboard-offline-desktop-light');
  const place = await placeOf(ada, 'Costs');

  // What waits is kept while the tab is elsewhere.
  await ada.page.goto('about:blank');
  await server.restart();
  await ada.go('/#/dashboards/plan');
  await live(ada).waitFor();
  for (const tab of [ada, ben]) {
    await card(tab, 'Sales').getByText('11boxes').waitFor();
    await card(tab, 'Costs').getByText('6units').waitFor();
    await card(tab, 'Written offline').waitFor();
    assert.equal(await tab.page.getByTestId('widget').count(), 3);
  }
  assert.deepEqual(await placeOf(ada, 'Costs'), place);
  await ben.shoot('dashboard-phone-dark');
  const log = await server.backend('GET', '/api/admin/rooms/dashboard/plan/log?after=0&limit=100');
  const ids = log.entries.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'nothing was applied twice');
});

test('where no socket can be opened, requests take its place in both directions', async (t) => {
  const { people } = await ownBoard(t);
  const prepare = (context) => context.routeWebSocket(/\/api\/realtime/, (socket) => socket.close({ code: 4100 }));
  const [ada, ben] = await windows(t, '/#/dashboards/plan', [{ ...people[0], prepare }, people[1]]);
  await ada.page.locator('[data-testid="state"][data-connection="polling"]').waitFor();
  await live(ben).waitFor();
  await add(ada, 'Figure', { title: 'Sales', value: 10, unit: 'units' });
  await card(ben, 'Sales').getByText('10units').waitFor();
  await edit(ben, 'Sales', { value: 12 });
  await card(ada, 'Sales').getByText('12units').waitFor();
  await openForm(ada, 'Sales');
  await fill(ada, { value: 13 });
  await edit(ben, 'Sales', { value: 14 });
  await save(ada);
  await ada.page.getByRole('button', { name: 'Decide' }).click();
  await conflict(ada).getByRole('button', { name: 'Keep mine' }).click();
  for (const tab of [ada, ben]) await card(tab, 'Sales').getByText('13units').waitFor();
  await ada.page.locator('[data-testid="state"][data-connection="polling"][data-pending="0"]').waitFor();
  ada.assertFaultless();
  ben.assertFaultless();
});

test('what a backend says is told calmly, whether it is stored or not, and what was missed of it too', async (t) => {
  const { server, people } = await ownBoard(t);
  const [ada] = await windows(t, '/#/dashboards/plan', [people[0]]);
  await live(ada).waitFor();
  const say = (event, more = {}) => server.backend('POST', '/api/events', { event, data: { of: 'June' }, to: { room: { kind: 'dashboard', id: 'plan' } }, ...more });
  const told = (event) => ada.page.getByTestId('notice').filter({ hasText: `${event}: {"of":"June"}` });
  await say('report_begun', { volatile: true });
  await told('report_begun').waitFor();
  await say('report_ready');
  await told('report_ready').waitFor();
  assert.equal(await told('report_ready').getAttribute('role'), 'status');
  await ada.shoot('dashboard-said-desktop-light');
  await ada.setOffline(true);
  await ada.page.locator('[data-testid="state"][data-connection="waiting"]').waitFor();
  await say('report_read');
  await ada.setOffline(false);
  await told('report_read').waitFor();
  await told('report_ready').getByRole('button', { name: 'Dismiss' }).click();
  await told('report_ready').waitFor({ state: 'detached' });
  for (const event of ['report_begun', 'report_read']) assert.equal(await told(event).count(), 1);
});

test('a dashboard on which many cards were is arranged as any other, and a card that goes takes its place along', async (t) => {
  const { server, people } = await ownBoard(t);
  const places = Object.fromEntries(Array.from({ length: 256 }, (_, number) => [`gone-${number}`, { x: 0, y: number, w: 1, h: 1 }]));
  const body = { type: 'SYNC', dashboardId: 'plan', operations: [{ id: 'old', type: 'LAYOUT_UPDATE', payload: { layout: places } }] };
  const headers = { authorization: `Bearer ${people[0].token}`, 'content-type': 'application/json' };
  const { results } = await (await fetch(`${server.url}/api/realtime`, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  assert.equal(results[0].ok, true);
  const [ada, ben] = await windows(t, '/#/dashboards/plan', people);
  for (const tab of [ada, ben]) await live(tab).waitFor();
  await add(ada, 'Figure', { title: 'Sales' });
  await add(ada, 'Figure', { title: 'Costs' });
  await live(ada).waitFor();
  await card(ada, 'Costs').getByRole('button', { name: 'Move Costs' }).focus();
  await ada.page.keyboard.press('ArrowDown');
  await eventually(() => placeOf(ben, 'Costs'), [3, 1, 3, 2]);
  await card(ada, 'Costs').hover();
  await ada.page.getByRole('button', { name: 'Delete Costs' }).click();
  await live(ada).waitFor();
  const log = await server.backend('GET', '/api/admin/rooms/dashboard/plan/log?after=0&limit=100');
  const counts = JSON.stringify(log).match(/"gone-\d+/g)?.length;
  assert.equal(counts, 256, 'they stand in the first layout only');
  ada.assertFaultless();
  ben.assertFaultless();
});

test('a card that somebody deletes while it is dragged does not hold the others', async (t) => {
  const [ada, ben] = await pair(t);
  await add(ada, 'Figure', { title: 'Costs' });
  await card(ben, 'Costs').hover();
  const { x, y } = await card(ben, 'Costs').getByRole('button', { name: 'Move Costs' }).boundingBox();
  await ben.page.mouse.move(x + 8, y + 8);
  await ben.page.mouse.down();
  await ben.page.mouse.move(x + 8, y + 98, { steps: 5 });
  await card(ada, 'Costs').hover();
  await ada.page.getByRole('button', { name: 'Delete Costs' }).click();
  await card(ben, 'Costs').waitFor({ state: 'detached' });
  await card(ada, 'Sales').getByRole('button', { name: 'Move Sales' }).focus();
  await ada.page.keyboard.press('ArrowRight');
  await eventually(() => placeOf(ben, 'Sales'), [1, 0, 3, 2]);
  await ben.page.mouse.move(x + 8, y + 170, { steps: 3 });
  await ben.page.mouse.up();
  await ada.page.keyboard.press('ArrowRight');
  await eventually(() => placeOf(ben, 'Sales'), [2, 0, 3, 2]);
  ada.assertFaultless();
  ben.assertFaultless();
});

test('cards are read, and reached with Tab, in the order in which they lie', async (t) => {
  const [ada, ben] = await pair(t);
  await add(ada, 'Figure', { title: 'Costs' });
  await add(ada, 'Figure', { title: 'Staff' });
  await card(ben, 'Staff').waitFor();
  const titles = (tab) => () => tab.page.getByTestId('widget').evaluateAll((cards) => cards.map((one) => one.getAttribute('aria-label')));
  for (const tab of [ada, ben]) await eventually(titles(tab), ['Sales', 'Costs', 'Staff']);
  await card(ada, 'Staff').getByRole('button', { name: 'Resize Staff' }).focus();
  await card(ada, 'Sales').getByRole('button', { name: 'Move Sales' }).focus();
  for (let row = 0; row < 2; row += 1) await ada.page.keyboard.press('ArrowDown');
  for (const tab of [ada, ben]) await eventually(titles(tab), ['Costs', 'Staff', 'Sales']);
  const focused = () => ada.page.evaluate(() => document.activeElement.getAttribute('aria-label'));
  assert.equal(await focused(), 'Move Sales', 'the focus stays where it was');
  await card(ada, 'Staff').getByRole('button', { name: 'Resize Staff' }).focus();
  await ada.page.keyboard.press('Tab');
  assert.equal(await focused(), 'Move Sales');

  await openForm(ada, 'Sales');
  await ada.page.getByRole('button', { name: 'Remove unit' }).click();
  await ada.page.getByRole('button', { name: 'Keep unit' }).click();
  await ada.page.getByRole('button', { name: 'Remove unit' }).waitFor();
  ada.assertFaultless();
  ben.assertFaultless();
});

test('what was refused is listed with what it said, over a reload too, until it is dismissed', async (t) => {
  const { server, room, people } = await ownBoard(t);
  const [ada] = await windows(t, '/#/dashboards/plan', [people[0]]);
  await live(ada).waitFor();
  await add(ada, 'Figure', { title: 'Sales', value: 10 });
  await add(ada, 'Note', { title: 'Hint', text: 'Read this.' });
  await live(ada).waitFor();
  await server.backend('PUT', `${room}/members/ada`, { role: 'viewer' });
  await edit(ada, 'Sales', { value: 4711 });
  await edit(ada, 'Hint', { text: 'Nobody will read this.' });
  const refusals = ada.page.getByTestId('refusals').getByRole('listitem');
  await eventually(() => refusals.count(), 2);
  await refusals.filter({ hasText: 'Sales' }).getByText('4711').waitFor();
  await refusals.filter({ hasText: 'Hint' }).getByText('Nobody will read this.').waitFor();
  await ada.shoot('dashboard-refused-desktop-light');
  await ada.page.reload();
  await eventually(() => refusals.count(), 2);
  await ada.page.getByRole('button', { name: 'Dismiss the refusal of Sales' }).click();
  await eventually(() => refusals.count(), 1);
  await ada.page.getByRole('button', { name: 'Dismiss the refusal of Hint' }).click();
  await ada.page.getByTestId('refusals').waitFor({ state: 'detached' });
  ada.assertFaultless();
});

test('of what waits for a request one that no request may hold is taken back, and the others go', async (t) => {
  const { people } = await ownBoard(t);
  const prepare = (context) => context.routeWebSocket(/\/api\/realtime/, (socket) => socket.close({ code: 4100 }));
  const [ada, ben] = await windows(t, '/#/dashboards/plan', [{ ...people[0], prepare }, people[1]]);
  ada.expectRefusals();
  await ada.page.locator('[data-testid="state"][data-connection="polling"]').waitFor();
  await add(ada, 'List', { title: 'Things', items: '["first"]' });
  await add(ada, 'Figure', { title: 'Sales', value: 10 });
  await ada.page.locator('[data-testid="state"][data-connection="polling"][data-pending="0"]').waitFor();
  await edit(ada, 'Things', { items: `${'['.repeat(40)}${']'.repeat(40)}` });
  await edit(ada, 'Sales', { value: 11 });
  await card(ben, 'Sales').getByText('11').waitFor();
  await ada.page.getByTestId('refusals').getByText('Things').waitFor();
  await ada.page.locator('[data-testid="state"][data-connection="polling"][data-pending="0"]').waitFor();
  await card(ada, 'Things').getByText('first').waitFor();
});

test('a storage that is full neither stops what is done nor hides that a reload would lose it', async (t) => {
  const { people } = await ownBoard(t);
  const prepare = (context) => context.addInitScript(() => {
    const { setItem } = Storage.prototype;
    Storage.prototype.setItem = function set(key, text) {
      if (key.startsWith('parlor.dashboard.')) throw new DOMException('full', 'QuotaExceededError');
      setItem.call(this, key, text);
    };
  });
  const [ada, ben] = await windows(t, '/#/dashboards/plan', [{ ...people[0], prepare }, people[1]]);
  await live(ada).waitFor();
  await add(ada, 'Figure', { title: 'Sales', value: 10 });
  await edit(ada, 'Sales', { value: 11 });
  await card(ben, 'Sales').getByText('11').waitFor();
  await live(ada).waitFor();
  assert.equal(await ada.page.getByText('a reload would lose it').count(), 1);
  await ada.setOffline(true);
  await ada.page.locator('[data-testid="state"][data-connection="waiting"]').waitFor();
  await edit(ada, 'Sales', { value: 12 });
  await ada.page.getByRole('link', { name: 'Documents' }).click();
  await ada.page.goBack();
  await card(ada, 'Sales').getByText('12').waitFor();
  await ada.setOffline(false);
  await card(ben, 'Sales').getByText('12').waitFor();
  ada.assertFaultless();
  ben.assertFaultless();
});

test('who may only look can change nothing', async (t) => {
  const { server, person } = await ownServer(t);
  const room = '/api/admin/rooms/dashboard/figures';
  await server.backend('PUT', room, { name: 'Figures', firmId: 'acme', visibility: 'private' });
  await server.backend('PUT', `${room}/members/ada`, { role: 'editor' });
  await server.backend('PUT', `${room}/members/vic`, { role: 'viewer' });
  const [ada, vic, eve] = await windows(t, '/#/dashboards/figures', [person('ada'), person('vic'), person('eve')]);
  await live(ada).waitFor();
  await add(ada, 'Figure', { title: 'Sales', value: 10 });
  await card(vic, 'Sales').waitFor();
  await card(vic, 'Sales').hover();
  assert.equal(await card(vic, 'Sales').getByRole('button').count(), 0);
  assert.equal(await vic.page.locator('.adder').isVisible(), false);
  await eve.page.getByText('The dashboard is not open').waitFor();
  ada.assertFaultless();
  vic.assertFaultless();
});
