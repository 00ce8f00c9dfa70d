// The place for projects: those of who is signed in, the feed of one, and a form that plays the backend (WIRE §5).

import { WebSocketClient } from '/client/parlor.js';
import { backendForm } from './backend-form.js';
import { button, clock, element, icon, notice } from './dom.js';
import { Feed } from './feed.js';
import { fetchJson } from './rest.js';
import { token } from './session.js';

/** Words for the states of the connection; open needs none. */
const STATES = { connecting: 'Connecting…', waiting: 'The connection was lost. It is opened again.', closed: 'Not connected.' };

/**
 * The page at a path below `#/projects`.
 * @param {string[]} path decoded
 * @param {{signIn: (why: string) => void}} go
 * @returns {{node: HTMLElement, leave: () => void}}
 */
export function projectsPage([projectId], go) {
  const list = element('ul', { class: 'rooms', 'data-testid': 'projects' }, element('li', { class: 'empty' }, 'Loading…'));
  const side = element(
    'nav',
    { class: 'side', 'aria-label': 'Projects' },
    element('div', { class: 'side-head' }, element('h2', { tabindex: '-1' }, 'Projects')),
    list,
  );
  const view = projectId ? new ProjectView(projectId) : null;
  const node = element('div', { class: `chat ${view ? 'in-room' : ''}` }, side, view ? view.node : noProject());
  listProjects(list, projectId, view, go);
  return { node, leave: () => view?.leave() };
}

function noProject() {
  return element('section', { class: 'room nothing' }, icon('project'), element('p', {}, 'Choose a project.'));
}

async function listProjects(list, openId, view, go) {
  try {
    const projects = await fetchJson('/api/rooms?kind=project');
    const rows = projects.map(({ id, name, role }) => projectRow(id, name || id, role, id === openId));
    list.replaceChildren(...(rows.length > 0 ? rows : [element('li', { class: 'empty' }, 'There are no projects for you.')]));
    const open = projects.find(({ id }) => id === openId);
    if (open) view?.named(open.name || openId, open.role);
  } catch (error) {
    const remedy = error.isAboutToken
      ? button('Sign in', () => go.signIn(error.message), { class: 'button primary' })
      : button('Try again', () => listProjects(list, openId, view, go));
    list.replaceChildren(element('li', {}, notice(error.message, 'trouble', remedy)));
  }
}

function projectRow(id, name, role, isOpen) {
  const link = element(
    'a',
    { class: 'room-row project-row', href: `#/projects/${encodeURIComponent(id)}`, 'aria-current': isOpen ? 'page' : null, 'data-project': id },
    element('span', { class: 'room-name' }, name),
    role && element('small', {}, role),
  );
  return element('li', {}, link);
}

/** One project: what backends have told, newest below, and the form. */
class ProjectView {
  node;
  #client;
  #feed = new Feed();
  #entries = element('ol', { class: 'feed', 'data-testid': 'feed', 'aria-live': 'polite' });
  #heading = element('h1', { tabindex: '-1' });
  #role = element('span', { class: 'role' });
  #state = element('p', { class: 'feed-state', role: 'status' });
  #scroll = element('div', { class: 'scroll', tabindex: '0' }, this.#entries);

  /** @param {string} projectId */
  constructor(projectId) {
    this.#heading.textContent = projectId;
    const bar = element(
      'div',
      { class: 'bar' },
      element('a', { class: 'to-rooms button quiet', href: '#/projects', 'aria-label': 'All projects' }, icon('back')),
      this.#heading,
      this.#role,
    );
    const feed = element('div', { class: 'feed-side' }, this.#state, this.#scroll);
    const body = element('div', { class: 'room-body' }, feed, backendForm(projectId));
    this.node = element('section', { class: 'room', 'data-testid': 'project' }, bar, body);
    this.#client = new WebSocketClient({ url: location.origin, token: () => token() ?? '' });
    this.#listen(projectId);
    this.#join(projectId);
  }

  /** The name and the role, when they are known. */
  named(name, role) {
    this.#heading.textContent = name;
    this.#role.textContent = role ? `as ${role}` : '';
  }

  leave() {
    this.#client.disconnect();
  }

  #listen(projectId) {
    const { client } = this.#client;
    client.on('*', (data, event) => {
      if (data?.projectId === projectId && this.#feed.hear(event, data)) this.#show();
    });
    for (const state of Object.keys(STATES)) client.on(state, () => (this.#state.textContent = STATES[state]));
    client.on('open', () => (this.#state.textContent = ''));
    this.#client.onError((error) => this.#trouble(error));
  }

  async #join(projectId) {
    try {
      await this.#client.connect();
      await this.#client.joinProject(projectId, { since: 0 });
      if (this.#feed.entries.length === 0) this.#show();
    } catch (error) {
      this.#trouble(error);
    }
  }

  #trouble(error) {
    this.#state.replaceChildren(notice(error.message, 'trouble'));
  }

  #show() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 40;
    const rows = this.#feed.entries.map(entryRow);
    this.#entries.replaceChildren(...(rows.length > 0 ? rows : [element('li', { class: 'empty' }, 'Nothing has happened yet.')]));
    if (isAtEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }
}

function entryRow({ event, seq, at, data, progress }) {
  return element(
    'li',
    { class: `entry ${progress === null ? '' : 'passing'}`, 'data-event': event, 'data-seq': seq },
    element(
      'div',
      { class: 'entry-head' },
      element('strong', {}, event.replaceAll('_', ' ')),
      at && element('time', { datetime: at }, clock(at)),
      seq && element('small', {}, `#${seq}`),
    ),
    progress !== null && element('progress', { max: '100', value: String(progress), 'aria-label': 'Progress' }),
    Object.keys(data).length > 0 && element('pre', {}, JSON.stringify(data, null, 2)),
  );
}
