// Edits at random, of every kind that a draft may hold, from one seed; and what a document says after them, in a form
// that can be compared.

import * as Y from 'yjs';

/** Numbers from a seed, the same for the same. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** One of 0 to `count` - 1. */
  below(count) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  }

  /** One of these. */
  of(list) {
    return list[this.below(list.length)];
  }
}

const WORDS = ['a', 'lorem ', 'ipsum\n', 'žluťoučký ', '漢字', '😀', '👩‍👩‍👧', 'e\u0301', '\u0000', ''];
const FORMATS = [{ bold: true }, { bold: null }, { italic: true }, { italic: null }, { color: '#f00' }, { link: { href: 'x' } }];
const VALUES = [null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53 - 1, 'text', '😀', [1, [2]], { deep: { er: [null] } }];
const KEYS = ['k1', 'k2', 'k3', '', 'ключ'];

/** Where a text may be cut: never within a code point, over which even two documents of `yjs` part. */
function borders(text) {
  const found = [0];
  for (const { insert } of text.toDelta()) {
    const lengths = typeof insert === 'string' ? Array.from(insert, (point) => point.length) : [1];
    for (const length of lengths) found.push(found.at(-1) + length);
  }
  return found;
}

function editText(random, text) {
  const at = borders(text);
  const [one, other] = [random.below(at.length), random.below(at.length)].sort((a, b) => a - b);
  const far = Math.min(other, one + 6);
  switch (random.below(5)) {
    case 0:
      return text.delete(at[one], at[far] - at[one]);
    case 1:
      return text.format(at[one], at[far] - at[one], random.of(FORMATS));
    case 2:
      return text.insert(at[one], random.of(WORDS), random.of(FORMATS));
    case 3:
      return random.below(4) ? text.insert(at.at(-1), random.of(WORDS)) : text.insertEmbed(at[one], { image: 'x' });
    default:
      return text.insert(at[one], random.of(WORDS));
  }
}

/** Something to put into a map or an array: a value, or a type with something in it. */
function something(random) {
  switch (random.below(6)) {
    case 0:
      return new Y.Text(random.of(WORDS));
    case 1:
      return new Y.Map([[random.of(KEYS), random.of(VALUES)]]);
    case 2:
      return Y.Array.from([random.of(VALUES)]);
    case 3:
      return new Uint8Array([random.below(256), 0, 255]);
    default:
      return random.of(VALUES);
  }
}

function editMap(random, map) {
  const key = random.of(KEYS);
  const there = map.get(key);
  if (there instanceof Y.AbstractType && random.below(2)) return editAny(random, there);
  return random.below(4) ? map.set(key, something(random)) : map.delete(key);
}

function editArray(random, array) {
  const at = random.below(array.length + 1);
  const there = array.get(at);
  if (there instanceof Y.AbstractType && random.below(2)) return editAny(random, there);
  if (random.below(3) === 0) return array.delete(at, Math.min(array.length - at, 1 + random.below(3)));
  return array.insert(at, Array.from({ length: 1 + random.below(2) }, () => something(random)));
}

function editXml(random, parent) {
  const at = random.below(parent.length + 1);
  const there = at < parent.length ? parent.get(at) : null;
  if (there && random.below(2)) return editAny(random, there);
  if (there && random.below(3) === 0) return parent.delete(at, 1);
  if (parent instanceof Y.XmlElement && random.below(3) === 0) {
    const name = random.of(['class', 'id']);
    return random.below(3) ? parent.setAttribute(name, random.of(WORDS)) : parent.removeAttribute(name);
  }
  return parent.insert(at, [random.below(2) ? new Y.XmlElement(random.of(['p', 'h1', 'em'])) : new Y.XmlText(random.of(WORDS))]);
}

function editAny(random, type) {
  if (type instanceof Y.Text) return editText(random, type);
  if (type instanceof Y.Map) return editMap(random, type);
  if (type instanceof Y.Array) return editArray(random, type);
  return editXml(random, type);
}

/** One edit at random, in one transaction with a mark that nothing ever takes away. */
export function edit(random, doc, mark) {
  doc.transact(() => {
    doc.getMap('marks').set(mark, true);
    switch (random.below(5)) {
      case 0:
        return editMap(random, doc.getMap('map'));
      case 1:
        return editArray(random, doc.getArray('array'));
      case 2:
        return editXml(random, doc.getXmlFragment('xml'));
      default:
        return editText(random, doc.getText('text'));
    }
  });
}

/** What stands in a document, as plain data: deltas of every text, attributes, children. */
export function content(doc) {
  return {
    marks: Object.keys(doc.getMap('marks').toJSON()).sort(),
    text: plain(doc.getText('text')),
    map: plain(doc.getMap('map')),
    array: plain(doc.getArray('array')),
    xml: plain(doc.getXmlFragment('xml')),
  };
}

/** What a type holds, as plain data. */
export function plain(type) {
  if (type instanceof Y.Text) return { text: delta(type) };
  if (type instanceof Y.Map) {
    const entries = Array.from(type.entries(), ([key, value]) => [key, plain(value)]);
    return { map: Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1))) };
  }
  if (type instanceof Y.XmlElement) {
    const attributes = Object.entries(type.getAttributes()).sort(([one], [other]) => (one < other ? -1 : 1));
    return { name: type.nodeName, attributes, children: type.toArray().map(plain) };
  }
  if (type instanceof Y.XmlFragment || type instanceof Y.Array) return { list: type.toArray().map(plain) };
  return type;
}

/** Its delta with what is formatted alike in one piece, which `yjs` does not promise. */
function delta(text) {
  const pieces = [];
  for (const { insert, attributes = {} } of text.toDelta()) {
    const format = JSON.stringify(Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1)));
    const last = pieces.at(-1);
    if (typeof insert === 'string' && last?.format === format && typeof last.insert === 'string') last.insert += insert;
    else pieces.push({ insert: plain(insert), format });
  }
  return pieces;
}
