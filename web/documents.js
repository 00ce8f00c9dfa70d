// The place for guided documents: templates to begin with, documents that are finished, and one of those.

import { announce, button, clock, element, icon, notice } from './dom.js';
import { interviewPage } from './interview-page.js';
import { render } from './markdown.js';
import { fetchBlob, fetchJson } from './rest.js';

/**
 * The page at a path below `#/documents`.
 * @param {string[]} path decoded
 * @param {{to: (path: string[], replace?: boolean) => void, signIn: (why: string) => void}} go
 * @returns {{node: HTMLElement, leave?: () => void}}
 */
export function documentsPage(path, go) {
  const [what, id] = path;
  if (what === 'template' && id) {
    const finished = (documentId) => go.to(['documents', 'finished', documentId], true);
    return interviewPage(id, { finished, signIn: go.signIn });
  }
  if ((what === 'view' || what === 'finished') && id) return documentPage(id, what === 'finished', go);
  return libraryPage(go);
}

function libraryPage(go) {
  const templates = element('ul', { class: 'cards', 'aria-busy': 'true', 'data-testid': 'templates' });
  const documents = element('ul', { class: 'rows', 'aria-busy': 'true', 'data-testid': 'documents' });
  const node = element(
    'div',
    { class: 'page' },
    element('h1', { tabindex: '-1' }, 'Guided documents'),
    element('p', { class: 'lead' }, 'Answer a few questions, and the document writes itself.'),
    element('h2', {}, 'Begin'),
    templates,
    element('h2', {}, 'Finished'),
    documents,
  );
  fill(templates, '/api/templates', templateCard, 'There are no templates for you.', go);
  fill(documents, '/api/documents', documentRow, 'Your finished documents will be here.', go);
  return { node };
}

async function fill(list, path, row, ifEmpty, go) {
  list.replaceChildren(element('li', { class: 'empty' }, 'Loading…'));
  try {
    const found = await fetchJson(path);
    const rows = found.map(row);
    list.replaceChildren(...(rows.length > 0 ? rows : [element('li', { class: 'empty' }, ifEmpty)]));
  } catch (error) {
    list.replaceChildren(element('li', {}, troubleNotice(error, go, () => fill(list, path, row, ifEmpty, go))));
  }
  list.setAttribute('aria-busy', 'false');
}

function templateCard({ id, name, questions: count = 0 }) {
  const size = count === 1 ? 'One question' : `${count} questions`;
  return element(
    'li',
    {},
    element(
      'a',
      { class: 'card', href: `#/documents/template/${encodeURIComponent(id)}`, 'data-template': id },
      element('span', { class: 'card-icon' }, icon('document')),
      element('span', { class: 'card-text' }, element('strong', {}, name || id), count > 0 && element('small', {}, size)),
      icon('open'),
    ),
  );
}

function documentRow({ id, title, templateName, createdAt }) {
  return element(
    'li',
    {},
    element(
      'a',
      { class: 'row', href: `#/documents/view/${encodeURIComponent(id)}`, 'data-document': id },
      element('span', {}, title || templateName || id),
      createdAt && element('time', { datetime: createdAt }, clock(createdAt)),
    ),
  );
}

function documentPage(id, isFinished, go) {
  const heading = element('h1', { tabindex: '-1', class: isFinished ? '' : 'unseen' }, isFinished ? 'Your document is ready' : 'Document');
  const body = element('div', { 'aria-busy': 'true' }, element('p', { class: 'empty' }, 'Loading…'));
  const node = element(
    'div',
    { class: 'page' },
    element('a', { class: 'backlink', href: '#/documents' }, icon('back'), 'All documents'),
    heading,
    body,
  );
  if (isFinished) announce('Your document is ready');
  showDocument(id, body, go);
  return { node };
}

async function showDocument(id, body, go) {
  const path = `/api/documents/${encodeURIComponent(id)}`;
  try {
    const found = await fetchJson(path);
    const name = found.title || found.templateName || id;
    const problem = element('div', { class: 'notices' });
    const download = (label, mediaType, ending) =>
      button(label, () => save(path, mediaType, `${fileName(name)}.${ending}`, problem, go), {}, 'download');
    const article = element('article', { class: 'paper', 'data-testid': 'document' });
    if (typeof found.markdown === 'string') article.append(render(found.markdown));
    else article.append(element('p', { class: 'empty' }, 'The text of this document is kept by the service that wrote it.'));
    const buttons = [download('Markdown', 'text/markdown', 'md'), download('HTML', 'text/html', 'html')];
    const downloads = element('div', { class: 'actions', role: 'group', 'aria-label': 'Download' }, ...buttons);
    const made = element('p', { class: 'made' }, [found.templateName, clock(found.createdAt)].filter(Boolean).join(' · '));
    const toolbar = element('div', { class: 'toolbar' }, made, typeof found.markdown === 'string' && downloads);
    body.replaceChildren(toolbar, problem, article);
  } catch (error) {
    body.replaceChildren(troubleNotice(error, go, () => showDocument(id, body, go)));
  }
  body.setAttribute('aria-busy', 'false');
}

async function save(path, mediaType, name, problem, go) {
  problem.replaceChildren();
  try {
    const address = URL.createObjectURL(await fetchBlob(path, mediaType));
    element('a', { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    problem.replaceChildren(troubleNotice(error, go, () => save(path, mediaType, name, problem, go)));
  }
}

function fileName(title) {
  return title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 80) || 'document';
}

function troubleNotice(error, go, again) {
  const remedy = error.isAboutToken
    ? button('Sign in', () => go.signIn(error.message), { class: 'button primary' })
    : button('Try again', again);
  return notice(error.message, 'trouble', remedy);
}
