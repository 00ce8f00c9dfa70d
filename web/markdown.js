// Markdown, as far as documents use it, into nodes. `parse` makes a tree of plain data and never looks at the
// page; `render` builds nodes from it. HTML in the text stays text, and links lead to the web or to mail only.

const DEPTH_MAX = 12;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/**
 * @typedef {string | {tag: string, href?: string, start?: number, children: Tree[]}} Tree
 */

/**
 * Reads Markdown.
 * @param {string} text
 * @returns {Tree[]}
 */
export function parse(text) {
  return blocks(text.replaceAll('\r\n', '\n').replaceAll('\t', '    ').split('\n'), 0);
}

/**
 * Markdown as nodes.
 * @param {string} text
 * @returns {DocumentFragment}
 */
export function render(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...parse(text).map(build));
  return fragment;
}

function build(tree) {
  if (typeof tree === 'string') return document.createTextNode(tree);
  const node = document.createElement(tree.tag);
  if (tree.href) {
    node.href = tree.href;
    node.rel = 'noopener noreferrer';
    node.target = '_blank';
  }
  if (tree.start) node.start = tree.start;
  node.append(...tree.children.map(build));
  return node;
}

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)/;

function blocks(lines, depth) {
  const trees = [];
  let at = 0;
  while (at < lines.length) {
    const [tree, next] = block(lines, at, depth);
    if (tree) trees.push(tree);
    at = next;
  }
  return trees;
}

function block(lines, at, depth) {
  const line = lines[at];
  if (line.trim() === '') return [null, at + 1];
  const heading = HEADING.exec(line);
  if (heading) return [{ tag: `h${heading[1].length}`, children: inline(heading[2] ?? '', 0) }, at + 1];
  if (RULE.test(line)) return [{ tag: 'hr', children: [] }, at + 1];
  if (FENCE.test(line)) return code(lines, at);
  if (depth < DEPTH_MAX && QUOTE.test(line)) return quote(lines, at, depth);
  if (depth < DEPTH_MAX && ITEM.test(line)) return list(lines, at, depth);
  return paragraph(lines, at);
}

function code(lines, at) {
  const fence = FENCE.exec(lines[at])[1];
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(fence)) end += 1;
  const text = lines.slice(at + 1, end).join('\n');
  return [{ tag: 'pre', children: [{ tag: 'code', children: [text] }] }, end + 1];
}

function quote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ''));
  return [{ tag: 'blockquote', children: blocks(inner, depth + 1) }, end];
}

function list(lines, at, depth) {
  const first = ITEM.exec(lines[at])[2];
  const ordered = /\d/.test(first);
  const isSibling = (line) => {
    const marker = ITEM.exec(line)?.[2];
    return marker !== undefined && !RULE.test(line) && marker.at(-1) === first.at(-1);
  };
  const items = [];
  while (at < lines.length && isSibling(lines[at])) {
    const [item, next] = listItem(lines, at, depth);
    items.push(item);
    at = next;
  }
  const tree = { tag: ordered ? 'ol' : 'ul', children: items };
  if (ordered && Number.parseInt(first, 10) !== 1) tree.start = Number.parseInt(first, 10);
  return [tree, at];
}

function listItem(lines, at, depth) {
  const marker = ITEM.exec(lines[at])[0];
  const indent = marker.trimEnd().length + 1;
  const inner = [lines[at].slice(marker.length)];
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    const isBlank = line.trim() === '';
    const isInside = line.startsWith(' '.repeat(Math.min(indent, 2)));
    const continues = inner.at(-1) !== '' && !startsBlock(line);
    if (!isBlank && !isInside && !continues) break;
    inner.push(isBlank ? '' : line.slice(Math.min(indent, line.search(/\S/))));
  }
  const children = blocks(inner, depth + 1);
  const isTight = children.filter((child) => child.tag === 'p').length <= 1;
  const loose = (child) => (isTight && child.tag === 'p' ? child.children : [child]);
  return [{ tag: 'li', children: children.flatMap(loose) }, end];
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() !== '' && !startsBlock(lines[end])) end += 1;
  const text = lines.slice(at, end).map((line) => line.trimStart()).join('\n');
  return [{ tag: 'p', children: inline(text.trimEnd(), 0) }, end];
}

function startsBlock(line) {
  return [HEADING, RULE, FENCE, QUOTE, ITEM].some((start) => start.test(line));
}

/** Reads what stands inside a block. `absent` keeps a mark without an end from being looked for again. */
function inline(text, depth) {
  const trees = [];
  const absent = new Set();
  let plain = '';
  let at = 0;
  while (at < text.length) {
    const found = literal(text, at) ?? (depth < DEPTH_MAX ? marked(text, at, depth, absent) : null);
    if (found?.tree) {
      if (plain) trees.push(plain);
      plain = '';
      trees.push(found.tree);
    } else {
      plain += found ? found.text : text[at];
    }
    at = found ? found.end : at + 1;
  }
  if (plain) trees.push(plain);
  return trees;
}

function literal(text, at) {
  if (text[at] === '\\') {
    if (text[at + 1] === '\n') return { tree: { tag: 'br', children: [] }, end: at + 2 };
    if (PUNCTUATION.test(text[at + 1] ?? '')) return { text: text[at + 1], end: at + 2 };
  }
  if (text.startsWith('  \n', at)) return { tree: { tag: 'br', children: [] }, end: at + 3 };
  if (text[at] === '&') {
    const entity = /^&(?:([a-z]+)|#(\d{1,7}));/.exec(text.slice(at, at + 12));
    const character = entity?.[2] ? characterOf(Number(entity[2])) : ENTITIES[entity?.[1]];
    if (character) return { text: character, end: at + entity[0].length };
  }
  return null;
}

function characterOf(point) {
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
}

function marked(text, at, depth, absent) {
  const mark = ['**', '__', '*', '_', '`'].find((candidate) => text.startsWith(candidate, at));
  if (text[at] === '[') return link(text, at, depth, absent);
  if (!mark || absent.has(mark) || !opens(text, at, mark)) return null;
  const close = closing(text, at + mark.length, mark);
  if (close < 0) {
    absent.add(mark);
    return mark.length === 2 ? { text: mark, end: at + 2 } : null;
  }
  const inner = text.slice(at + mark.length, close);
  const end = close + mark.length;
  if (mark === '`') return { tree: { tag: 'code', children: [inner] }, end };
  return { tree: { tag: mark.length === 2 ? 'strong' : 'em', children: inline(inner, depth + 1) }, end };
}

function opens(text, at, mark) {
  const before = text[at - 1] ?? ' ';
  const after = text[at + mark.length] ?? ' ';
  return mark === '`' || (/\S/.test(after) && (mark[0] === '*' || !/[\p{L}\p{N}]/u.test(before)));
}

function closing(text, from, mark) {
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    if (mark === '`') return at;
    const after = text[at + mark.length] ?? ' ';
    const isWhole = mark.length === 2 || (text[at - 1] !== mark && after !== mark);
    const isTight = at > from && /[^\s\\]/.test(text[at - 1]);
    if (isWhole && isTight && (mark[0] === '*' || !/[\p{L}\p{N}]/u.test(after))) return at;
  }
  return -1;
}

const LINK_LENGTH_MAX = 2_000;

function link(text, at, depth, absent) {
  if (absent.has('](')) return null;
  const middle = text.indexOf('](', at);
  if (middle < 0) absent.add('](');
  if (middle < 0 || middle - at > LINK_LENGTH_MAX) return null;
  const end = text.indexOf(')', middle);
  const href = end < 0 || end - middle > LINK_LENGTH_MAX ? '' : text.slice(middle + 2, end).trim();
  if (!/^(?:https?:\/\/|mailto:)\S+$/i.test(href)) return null;
  return { tree: { tag: 'a', href, children: inline(text.slice(at + 1, middle), depth + 1) }, end: end + 1 };
}
