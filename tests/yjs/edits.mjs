// Edits at random, of every kind that editors make: text with formats and embeds, maps, arrays, XML, all nested.
import * as Y from 'yjs'

// Makes so many edits; returns the updates that came of them. The same seed makes the same edits.
export function edit (doc, seed, steps) {
  const dice = die(seed)
  const updates = []
  const listen = update => updates.push(update)
  doc.on('update', listen)
  for (let step = 0; step < steps; step++) {
    doc.transact(() => {
      for (let more = 0; more <= dice(3); more++) one(doc, dice)
    })
  }
  doc.off('update', listen)
  return updates
}

function die (seed) {
  let state = (seed >>> 0) || 1
  return sides => {
    state ^= state << 13; state >>>= 0
    state ^= state >>> 17
    state ^= state << 5; state >>>= 0
    return state % sides
  }
}

const KEYS = ['a', 'b', 'title', 'ключ']
const WORDS = ['x', 'hello ', 'wörld', '日本', '👍🏽', 'a longer piece of text, ', '\n', '"<&>']
const FORMATS = [{ bold: true }, { bold: null }, { italic: true, color: '#f00' }, { link: { href: 'a', n: 1 } }]
const TAGS = ['p', 'h1', 'ul', 'li']

function one (doc, dice) {
  switch (dice(4)) {
    case 0: return inText(doc.getText('text'), dice)
    case 1: return inMap(doc.getMap('map'), dice, 0)
    case 2: return inArray(doc.getArray('array'), dice, 0)
    default: return inXml(doc.getXmlFragment('xml'), dice, 0)
  }
}

// A place between two code points: cutting through one does not converge between official clients.
function place (text, dice) {
  const string = text.toDelta().map(({ insert }) => (typeof insert === 'string' ? insert : '\0')).join('')
  const places = [0]
  for (const point of string) places.push(places.at(-1) + point.length)
  return places[dice(places.length)]
}

function inText (text, dice) {
  const [one, other] = [place(text, dice), place(text, dice)]
  const [from, to] = [Math.min(one, other), Math.max(one, other)]
  switch (dice(8)) {
    case 0: return text.delete(from, to - from)
    case 1: return text.format(from, to - from, FORMATS[dice(FORMATS.length)])
    case 2: return text.insertEmbed(from, { image: 'i.png', size: dice(9) / 4 })
    case 3: return text.insert(from, WORDS[dice(WORDS.length)], FORMATS[dice(FORMATS.length)])
    case 4: return dice(4) ? text.insert(from, 'y') : text.insertEmbed(from, new Y.Map([['k', dice(9)]]))
    default: return text.insert(from, WORDS[dice(WORDS.length)])
  }
}

function inMap (map, dice, depth) {
  const key = KEYS[dice(KEYS.length)]
  const there = map.get(key)
  if (dice(5) === 0) return map.delete(key)
  if (there instanceof Y.AbstractType && dice(3)) return inType(there, dice, depth + 1)
  return map.set(key, value(dice, depth))
}

function inArray (array, dice, depth) {
  const index = dice(array.length + 1)
  const there = array.get(index)
  if (there instanceof Y.AbstractType && dice(3)) return inType(there, dice, depth + 1)
  if (dice(4) === 0 && array.length > index) return array.delete(index, 1 + dice(array.length - index))
  return array.insert(index, Array.from({ length: 1 + dice(3) }, () => value(dice, depth)))
}

function inXml (xml, dice, depth) {
  const index = dice(xml.length + 1)
  const there = xml.get(index)
  if (xml instanceof Y.XmlElement && dice(4) === 0) {
    return dice(3) ? xml.setAttribute(KEYS[dice(2)], WORDS[dice(WORDS.length)]) : xml.removeAttribute(KEYS[dice(2)])
  }
  if (there !== undefined && dice(2)) return inType(there, dice, depth + 1)
  if (there !== undefined && dice(3) === 0) return xml.delete(index, 1)
  const text = new Y.XmlText(WORDS[dice(WORDS.length)])
  return xml.insert(index, [dice(2) || depth > 4 ? text : new Y.XmlElement(TAGS[dice(TAGS.length)])])
}

function inType (type, dice, depth) {
  if (type instanceof Y.XmlText && dice(4) === 0) return type.setAttribute(KEYS[dice(2)], WORDS[dice(WORDS.length)])
  if (type instanceof Y.Text) return inText(type, dice)
  if (type instanceof Y.Map) return inMap(type, dice, depth)
  if (type instanceof Y.Array) return inArray(type, dice, depth)
  return inXml(type, dice, depth)
}

function value (dice, depth) {
  switch (dice(depth > 3 ? 8 : 12)) {
    case 0: return null
    case 1: return dice(2) === 0
    case 2: return dice(1000) - 500
    case 3: return (dice(1000) - 500) / 7
    case 4: return WORDS[dice(WORDS.length)]
    case 5: return { z: 1, a: [1, { y: 'x', b: undefined }], m: 2 ** 40 }
    case 6: return new Uint8Array([1, 2, dice(256)])
    case 7: return [dice(9), 'two', null]
    case 8: return new Y.Map([[KEYS[dice(2)], dice(9)], ['n', new Y.Text('nested')]])
    case 9: return Y.Array.from([dice(9), new Y.Map()])
    case 10: return new Y.Text(WORDS[dice(WORDS.length)])
    default: return new Y.XmlElement(TAGS[dice(TAGS.length)])
  }
}
