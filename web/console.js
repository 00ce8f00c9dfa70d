// The console: signs in, then shows the place that the address names (`#/documents…`, `#/drafts…`, `#/dashboards…`,
// `#/chat…`, `#/projects…`).

import { Chat } from './chat.js';
import { chatPage } from './chat-page.js';
import { dashboardsPage } from './dashboards/page.js';
import { documentsPage } from './documents.js';
import { draftsPage } from './drafts/page.js';
import { projectsPage } from './projects.js';
import { announce, button, clock, element, icon, notice, portrait } from './dom.js';
import { signIn, signOut, takeFromAddress, user } from './session.js';

const main = document.getElementById('main');
const masthead = document.getElementById('masthead');
const brand = masthead.firstElementChild;

/** @type {Chat|null} */
let chat = null;
/** @type {{leave?: () => void}|null} */
let page = null;
let badge = null;
let title = 'Parlor';
const TITLES = { documents: 'Documents', drafts: 'Drafts', dashboards: 'Dashboards', chat: 'Chat', projects: 'Projects' };

const go = {
  to(path, replace = false) {
    const address = `#/${path.map(encodeURIComponent).join('/')}`;
    if (!replace) location.hash = address;
    else {
      history.replaceState(null, '', address);
      showPlace();
    }
  },
  signIn: showSignIn,
  changed: showUnread,
};

addEventListener('hashchange', () => {
  if (takeFromAddress()) leaveEverything();
  showPlace();
});
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') chat?.wake();
});
takeFromAddress();
showPlace(true);

function showPlace(isFirst = false) {
  if (!user()) {
    showSignIn();
    return;
  }
  const [place, ...path] = pathOf(location.hash);
  page?.leave?.();
  page = null;
  showMasthead(place in TITLES ? place : 'documents');
  if (place === 'chat') {
    chat ??= new Chat();
    page = chatPage(path, chat, go);
  } else if (place === 'drafts') {
    page = draftsPage(path, go);
  } else if (place === 'dashboards') {
    page = dashboardsPage(path, go);
  } else if (place === 'projects') {
    page = projectsPage(path, go);
  } else {
    page = documentsPage(path, go);
  }
  main.replaceChildren(page.node);
  const heading = main.querySelector('h1') ?? main.querySelector('h2');
  title = `${TITLES[place] ?? TITLES.documents} · Parlor`;
  showUnread();
  if (!isFirst) heading?.focus({ preventScroll: true });
}

function pathOf(hash) {
  const parts = hash.replace(/^#\/?/, '').split('/').filter(Boolean);
  return parts.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
}

function showMasthead(place) {
  badge = element('span', { class: 'badge', hidden: true });
  const link = (name, label, drawing, ...more) =>
    element('a', { href: `#/${name}`, 'aria-current': name === place ? 'page' : null }, icon(drawing), element('span', {}, label), ...more);
  const links = [
    link('documents', 'Documents', 'document'),
    link('drafts', 'Drafts', 'draft'),
    link('dashboards', 'Dashboards', 'board'),
    link('chat', 'Chat', 'chat', badge),
    link('projects', 'Projects', 'project'),
  ];
  const places = element('nav', { class: 'places', 'aria-label': 'Places' }, ...links);
  masthead.replaceChildren(brand, places, account());
}

function account() {
  const { id, name, userType, expiresAt } = user();
  const leave = button('Sign out', () => showSignIn(), {});
  const card = element(
    'div',
    { class: 'account-card' },
    element('strong', {}, name),
    element('span', {}, `${id} · ${userType}`),
    expiresAt && element('small', {}, `signed in until ${clock(expiresAt)}`),
    leave,
  );
  const menu = element(
    'details',
    { class: 'account', 'data-testid': 'account' },
    element('summary', { 'aria-label': `Account of ${name}` }, portrait(name, id), element('span', { class: 'account-name' }, name)),
    card,
  );
  menu.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') menu.open = false;
  });
  menu.addEventListener('focusout', (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  return menu;
}

function showUnread() {
  const unread = chat?.unread ?? 0;
  if (!badge) return;
  document.title = unread > 0 ? `(${unread}) ${title}` : title;
  badge.hidden = unread === 0;
  badge.replaceChildren(String(unread > 99 ? '99+' : unread), element('span', { class: 'unseen' }, ' new messages'));
}

function leaveEverything() {
  page?.leave?.();
  page = null;
  chat?.close();
  chat = null;
}

function showSignIn(why = '') {
  leaveEverything();
  signOut();
  badge = null;
  masthead.replaceChildren(brand);
  const box = element('textarea', { id: 'token', rows: '4', required: true, spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off' });
  const problem = element('div', { class: 'notices' }, why && notice(why, 'trouble'));
  const submitted = (event) => {
    event.preventDefault();
    const wrong = signIn(box.value);
    if (!wrong) showPlace();
    else problem.replaceChildren(notice(wrong, 'trouble'));
  };
  const form = element(
    'form',
    { class: 'sign-in', on: { submit: submitted }, 'data-testid': 'sign-in' },
    element('h1', { tabindex: '-1' }, 'Welcome to the parlor'),
    element('p', { class: 'lead' }, 'Open the address that the server printed, or paste a token here.'),
    problem,
    element('label', { for: 'token' }, 'Token'),
    box,
    element('button', { type: 'submit', class: 'button primary' }, icon('lock'), 'Sign in'),
  );
  main.replaceChildren(form);
  document.title = 'Sign in · Parlor';
  announce(why);
  box.focus();
}
