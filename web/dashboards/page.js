// The place for dashboards: one's own, those of the firm, and the one that is open (WIRE §3).

import { button, element, icon, notice } from '../dom.js';
import { fetchJson } from '../rest.js';
import { user } from '../session.js';
import { DashboardView } from './view.js';

const NAME_CHARACTERS_MAX = 100;

/**
 * The page at a path below `#/dashboards`.
 * @param {string[]} path decoded
 * @param {{to: (path: string[]) => void, signIn: (why: string) => void}} go
 * @returns {{node: HTMLElement, leave: () => void}}
 */
export function dashboardsPage([dashboardId], go) {
  const list = element('ul', { class: 'rooms', 'data-testid': 'dashboards' }, element('li', { class: 'empty' }, 'Loading…'));
  const dialog = createDialog(go);
  const side = element(
    'nav',
    { class: 'side', 'aria-label': 'Dashboards' },
    element(
      'div',
      { class: 'side-head' },
      element('h2', { tabindex: '-1' }, 'Dashboards'),
      button('New', () => dialog.showModal(), { class: 'button quiet', 'aria-label': 'New dashboard' }, 'plus'),
    ),
    list,
  );
  const view = dashboardId ? new DashboardView(dashboardId, go) : null;
  const nothing = () => element('section', { class: 'room nothing' }, icon('board'), element('p', {}, 'Choose a dashboard.'));
  const node = element('div', { class: `chat ${view ? 'in-room' : ''}` }, side, view ? view.node : nothing(), dialog);
  listDashboards(list, dashboardId, view, go);
  // One that was made by opening it is listed from then on.
  view?.whenOpen(() => list.querySelector('[aria-current]') ?? listDashboards(list, dashboardId, view, go));
  return { node, leave: () => view?.leave() };
}

async function listDashboards(list, openId, view, go) {
  const own = { id: `user:${user()?.id}`, name: 'My own' };
  try {
    const found = await fetchJson('/api/rooms?kind=dashboard');
    const dashboards = [own, ...found.filter(({ id }) => id !== own.id)];
    list.replaceChildren(...dashboards.map(({ id, name, role }) => dashboardRow(id, name || id, role, id === openId)));
    const open = dashboards.find(({ id }) => id === openId);
    if (open) view?.named(open.name || openId, open.role);
  } catch (error) {
    const remedy = error.isAboutToken
      ? button('Sign in', () => go.signIn(error.message), { class: 'button primary' })
      : button('Try again', () => listDashboards(list, openId, view, go));
    list.replaceChildren(element('li', {}, notice(error.message, 'trouble', remedy)));
  }
}

function dashboardRow(id, name, role, isOpen) {
  const link = element(
    'a',
    { class: 'room-row plain-row', href: `#/dashboards/${encodeURIComponent(id)}`, 'aria-current': isOpen ? 'page' : null, 'data-dashboard': id },
    element('span', { class: 'room-name' }, name),
    role === 'viewer' && element('small', {}, role),
  );
  return element('li', {}, link);
}

/** Where the server makes dashboards by opening them, a name is all it takes. */
function createDialog(go) {
  const dialog = element('dialog', { class: 'dialog', 'aria-labelledby': 'dashboard-title' });
  const name = element('input', { id: 'dashboard-name', required: true, maxlength: String(NAME_CHARACTERS_MAX), autocomplete: 'off' });
  const submitted = (event) => {
    event.preventDefault();
    const id = name.value.trim();
    if (!id) return;
    dialog.close();
    go.to(['dashboards', id]);
  };
  const form = element(
    'form',
    { on: { submit: submitted } },
    element('h2', { id: 'dashboard-title' }, 'New dashboard'),
    element('div', { class: 'field' }, element('label', { for: 'dashboard-name' }, 'Name'), name),
    element(
      'div',
      { class: 'actions' },
      button('Cancel', () => dialog.close()),
      element('button', { type: 'submit', class: 'button primary' }, 'Open'),
    ),
  );
  dialog.append(form);
  return dialog;
}
