// The clients over TLS: Socket.IO in all its ways, and y-websocket.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import WebSocket from 'ws';
import { YWebsocketEditor, draft, eventually } from './drafts.mjs';
import { Parlor } from './parlor.mjs';
import { WAYS, call, client, connected, event, says } from './people.mjs';

const server = await Parlor.startSecure({ after });
const { ca } = server;

/** A WebSocket as a browser has it, which believes the server's certificate. */
class Believing extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { ca });
  }
}

describe('Socket.IO', () => {
  for (const [way, options] of Object.entries(WAYS)) {
    test(`talks over TLS ${way}`, async (t) => {
      const roomId = await server.room(`room ${way}`);
      const join = async (user) => {
        const socket = await connected(t, server, user, { ca, ...options });
        assert.equal((await call(socket, 'chat:room:join', { roomId })).ok, true);
        return socket;
      };
      const [ada, ben] = [await join('ada'), await join('ben')];
      const texts = ['short', 'x'.repeat(8_000), 'last'];
      for (const text of texts) assert.equal((await says(ada, roomId, text)).ok, true);
      for (const text of texts) {
        const heard = await ben.diary.first('chat:message:received', ({ content }) => content === text);
        assert.equal(heard.content, text);
      }
    });
  }

  test('does not connect to a server whose certificate it does not believe', async (t) => {
    const ada = client(t, server, 'ada', { transports: ['websocket'], reconnection: false });
    const refused = event(ada, 'connect_error');
    ada.connect();
    await refused;
    assert.equal(ada.connected, false);
  });
});

test('y-websocket edits one draft over TLS', async (t) => {
  const id = await draft(server);
  const options = { WebSocketPolyfill: Believing };
  const ada = await new YWebsocketEditor(t, server, id, 'ada', options).ready();
  const ben = await new YWebsocketEditor(t, server, id, 'ben', options).ready();
  ada.write('Dear ');
  await ben.reads('Dear ');
  const long = 'x'.repeat(300_000);
  ben.write(long);
  await ada.reads(`Dear ${long}`);
  ada.awareness.setLocalStateField('user', { name: 'Ada' });
  await eventually('Ada is seen', () => ben.awareness.getStates().get(ada.doc.clientID)?.user?.name === 'Ada');
  const cyd = await new YWebsocketEditor(t, server, id, 'cyd', options).ready();
  assert.equal(cyd.text.toString(), `Dear ${long}`);
});
