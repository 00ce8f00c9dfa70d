// What no client of Socket.IO sends: each ends the session that sent it, and nobody else notices.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Parlor, token } from './parlor.mjs';
import { bounded, call, connected, says } from './people.mjs';
import { entered, opened, request } from './raw.mjs';

const server = await Parlor.start({ after });
await server.room('team', ['ada', 'ben']);
const bystanders = {};
for (const user of ['ada', 'ben']) {
  bystanders[user] = await connected({ after }, server, user);
  await call(bystanders[user], 'chat:room:join', { roomId: 'team' });
}

let said = 0;
/** Nobody is disturbed. */
async function undisturbed() {
  assert.equal(server.alive, true);
  const content = `still here ${(said += 1)}`;
  await says(bystanders.ada, 'team', content);
  await bystanders.ben.diary.first('chat:message:received', (message) => message.content === content);
  assert.deepEqual([bystanders.ada.connected, bystanders.ben.connected], [true, true]);
}

const PLACEHOLDER = '{"_placeholder":true,"num":0}';
const ENDING = {
  'no attachments, though announced (CVE-2026-69185)': ['450-["x"]'],
  'no attachments, then bytes': ['450-["x"]', Buffer.from([1])],
  'no number of attachments': ['45-["x"]'],
  'a count without its dash': ['451["x"]'],
  'a count with an exponent': ['451e1-["x"]'],
  'a count that is negative': ['45-1-["x"]'],
  'a count with a fraction': ['451.0-["x"]'],
  'eleven attachments (CVE-2026-33151)': [`4511-["x",${Array.from({ length: 11 }, (_, num) => `{"_placeholder":true,"num":${num}}`)}]`],
  'a thousand million attachments': ['451000000000-["x"]'],
  'a placeholder that is a string (CVE-2022-2421)': ['451-["x",{"_placeholder":true,"num":"splice"}]', Buffer.from([1])],
  'a placeholder that is negative': ['451-["x",{"_placeholder":true,"num":-1}]', Buffer.from([1])],
  'a placeholder between two': ['451-["x",{"_placeholder":true,"num":0.5}]', Buffer.from([1])],
  'a placeholder out of range': ['451-["x",{"_placeholder":true,"num":1}]', Buffer.from([1])],
  'a placeholder that is repeated': [`452-["x",${PLACEHOLDER},${PLACEHOLDER}]`, Buffer.from([1]), Buffer.from([2])],
  'an attachment without a placeholder': ['451-["x"]', Buffer.from([1])],
  'text while an attachment is due': [`451-["x",${PLACEHOLDER}]`, '42["ping"]'],
  'bytes that nobody announced': [Buffer.from([1, 2, 3])],
  'bytes before anything': { connect: false, say: [Buffer.from([1, 2, 3])] },
  'an event before CONNECT': { connect: false, say: ['42["ping"]'] },
  'an event with a reserved name (CVE-2023-32695)': ['42["disconnecting"]'],
  'an event without a name': ['42[]'],
  'an event whose name is an object': ['42[{"toString":1}]'],
  'an event that is an object': ['42{}'],
  'an event that is no JSON': ['42["x"'],
  'an event that is a string': ['42"x"'],
  'an event with a key twice': ['42["chat:room:join",{"roomId":"a","roomId":"b"}]'],
  'an event of forty depths': [`42["chat:room:join",${'['.repeat(40)}${']'.repeat(40)}]`],
  'an ack id beyond all numbers': ['42100000000000000000000000["ping"]'],
  'an ack that is no array': ['430{}'],
  'a type that there is not': ['49'],
  'a packet of the engine that there is not': ['7'],
  'a second CONNECT': [`40${JSON.stringify({ token: token('eve') })}`],
  'a CONNECT of an array': { connect: false, say: ['40[]'] },
  'a DISCONNECT with data': ['41{}'],
  'a probe on a session that needs none': ['2probe'],
  'a message over the limit': ['42["x","' + 'x'.repeat(1_000_001) + '"]'],
};

// It takes as long as attachments may take: it begins first, and is waited for last.
const waiting = await entered({ after }, server, 'eve');
waiting.say(`451-["x",${PLACEHOLDER}]`);

for (const [what, sequence] of Object.entries(ENDING)) {
  test(`${what}: the session ends`, async (t) => {
    const { connect, say } = Array.isArray(sequence) ? { connect: true, say: sequence } : sequence;
    const eve = connect ? await entered(t, server, 'eve') : await opened(t, server);
    eve.socket.on('error', () => {});
    say.forEach((packet) => eve.say(packet));
    await eve.closed;
    await undisturbed();
  });
}

test('twenty namespaces more than there are end nothing but their own session', async (t) => {
  const eve = await entered(t, server, 'eve');
  let open = true;
  eve.socket.on('close', () => (open = false));
  for (let at = 0; at < 20; at += 1) eve.say(`40/n${at},`);
  await bounded('is refused or closed', (resolve) => {
    eve.socket.on('close', resolve);
    const refusals = () => eve.heard.filter((packet) => /^44\/n\d+,\{"message":"Invalid namespace"\}$/.test(packet)).length;
    const read = () => refusals() === 20 && resolve();
    eve.socket.on('message', read);
    read();
  });
  if (open) {
    eve.say('421["ping"]');
    await eve.hears('431');
  }
  await undisturbed();
});

test('acks that nobody waits for are taken in silence', async (t) => {
  const eve = await entered(t, server, 'eve');
  for (let id = 0; id < 100; id += 1) eve.say(`43${id}[{}]`);
  eve.say('421["ping"]');
  await eve.hears('431');
});

test('the tenth call in a minute that is malformed sends its caller away', async (t) => {
  const eve = await entered(t, server, 'eve');
  for (let at = 0; at < 9; at += 1) {
    eve.say(`42${at}[7]`);
    assert.match(await eve.hears(`43${at}`), /"code":"PROTOCOL_ERROR"/);
  }
  eve.say('429[7]');
  await eve.closed;
  assert.ok(eve.heard.at(-1) === '41', eve.heard.at(-1));
  await undisturbed();
});

test('a hundred sessions that open and say nothing leave the server as it was', async () => {
  const opening = () => request(server, 'EIO=4&transport=polling');
  const opened = await Promise.all(Array.from({ length: 100 }, opening));
  assert.ok(opened.every((answer) => answer.status === 200));
  const names = opened.map((answer) => JSON.parse(answer.text.slice(1)).sid);
  assert.equal(new Set(names).size, 100);
  await undisturbed();
});

test('an attachment that never comes ends its session', async () => {
  await waiting.closed;
  await undisturbed();
});
