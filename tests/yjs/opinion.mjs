// What yjs makes of updates: the second opinion on our documents. A request is a line of JSON, and so is the answer.
//
//   {"op":"apply","doc":1,"update":"<hex>"}          {"pending":bool,"vector":"<hex>","own":["<hex>",...]} or
//                                                    {"error":"..."}; own are the updates that a client would send
//                                                    then: it removes formats that say nothing any more
//   {"op":"state","doc":1,"since"?:"<hex>"}          {"update":"<hex>"}
//   {"op":"content","doc":1,"roots":{"a":true}}      {"content":{...}}; true where the root is a text
//   {"op":"edit","doc":1,"client":7,"seed":1,"steps":9}   {"updates":["<hex>",...]}, of edits made at random
//   {"op":"drop"}                                    forgets every document
import * as readline from 'node:readline'
import * as Y from 'yjs'
import { edit } from './edits.mjs'

// yjs tells on the console what it finds odd; the console is ours.
console.warn = console.error = console.log = () => {}

const docs = new Map()
const hex = bytes => Buffer.from(bytes).toString('hex')
const bytes = text => new Uint8Array(Buffer.from(text, 'hex'))

function open (name, client = 0) {
  if (!docs.has(name)) docs.set(name, new Y.Doc())
  const doc = docs.get(name)
  doc.clientID = client
  return doc
}

const answers = {
  apply ({ doc: name, update }) {
    const doc = open(name)
    const own = []
    const listen = (update, origin, doc, transaction) => transaction.local && own.push(hex(update))
    doc.on('update', listen)
    try {
      Y.applyUpdate(doc, bytes(update))
    } catch (error) {
      docs.delete(name)
      return { error: String(error?.message ?? error) }
    }
    doc.off('update', listen)
    const pending = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
    return { pending, vector: hex(Y.encodeStateVector(doc)), own }
  },
  state ({ doc: name, since }) {
    return { update: hex(Y.encodeStateAsUpdate(open(name), since === undefined ? undefined : bytes(since))) }
  },
  content ({ doc: name, roots }) {
    const doc = open(name)
    const content = {}
    for (const [root, isText] of Object.entries(roots)) {
      if (doc.share.has(root)) content[root] = tree(doc.share.get(root), isText)
    }
    return { content }
  },
  edit ({ doc: name, client, seed, steps }) {
    return { updates: edit(open(name, client), seed, steps).map(hex) }
  },
  drop () {
    docs.clear()
    return {}
  }
}

// The same shape as `Docs::content` has.
function tree (type, isText) {
  const keys = {}
  for (const [key, item] of type._map) {
    if (!item.deleted) keys[key] = value(item.content.getContent()[item.length - 1])
  }
  return isText ? { text: text(type), keys } : { list: list(type), keys }
}

function list (type) {
  const items = []
  for (let item = type._start; item !== null; item = item.right) {
    if (!item.deleted && item.countable) items.push(...item.content.getContent().map(value))
  }
  return items
}

function text (type) {
  const format = new Map()
  const pieces = []
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue
    const content = item.content
    const written = () => Object.fromEntries([...format].map(([key, it]) => [key, any(it)]))
    if (content instanceof Y.ContentFormat) {
      content.value === null ? format.delete(content.key) : format.set(content.key, content.value)
    } else if (content instanceof Y.ContentString) {
      const [now, last] = [written(), pieces.at(-1)]
      if (typeof last?.[0] === 'string' && same(last[1], now)) last[0] += content.str
      else pieces.push([content.str, now])
    } else if (content instanceof Y.ContentEmbed || content instanceof Y.ContentType) {
      pieces.push([value(content.getContent()[0]), written()])
    }
  }
  return pieces.map(([piece, format]) => [typeof piece === 'string' ? piece.toWellFormed() : piece, format])
}

const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
const sorted = it => Array.isArray(it)
  ? it.map(sorted)
  : it !== null && typeof it === 'object'
    ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, it]) => [key, sorted(it)]))
    : it

function value (it) {
  if (!(it instanceof Y.AbstractType)) return { any: any(it) }
  const isText = it instanceof Y.Text
  for (const [kind, name] of kinds) {
    if (it instanceof kind) {
      return { type: kind === Y.XmlElement ? `${name} ${it.nodeName}` : name, of: tree(it, isText) }
    }
  }
  throw new Error('a type of an unknown kind')
}

// What extends another comes first.
const kinds = [
  [Y.XmlText, 'YXmlText'], [Y.Text, 'YText'], [Y.XmlElement, 'YXmlElement'], [Y.XmlFragment, 'YXmlFragment'],
  [Y.Array, 'YArray'], [Y.Map, 'YMap']
]

function any (it) {
  if (it === undefined) return { undefined: true }
  if (it === null || typeof it === 'boolean') return it
  if (typeof it === 'string') return it.toWellFormed()
  if (typeof it === 'number') return { number: number(it) }
  if (it instanceof Uint8Array) return { buffer: hex(it) }
  if (Array.isArray(it)) return it.map(any)
  return { map: Object.fromEntries(Object.entries(it).map(([key, it]) => [key, any(it)])) }
}

function number (it) {
  if (Number.isNaN(it)) return 'nan'
  if (it === 0) return '0'
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, it)
  return view.getBigUint64(0).toString(16).padStart(16, '0')
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer
  try {
    answer = answers[request.op](request)
  } catch (error) {
    answer = { error: String(error?.stack ?? error) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
