// The client as pages load it: from the server, without a bundler.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parlor } from '../../../tests/clients/parlor.mjs';

test('a server carries the client with all that it imports', async (t) => {
  const server = await Parlor.start(t);
  const waiting = ['/client/parlor.js'];
  const loaded = new Set();
  for (let path = waiting.pop(); path; path = waiting.pop()) {
    loaded.add(path);
    const answer = await fetch(server.url + path);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'text/javascript; charset=utf-8'], path);
    for (const [, name] of (await answer.text()).matchAll(/from '\.\/([^']+)'/g)) {
      if (!loaded.has(`/client/${name}`)) waiting.push(`/client/${name}`);
    }
  }
  const names = ['calls', 'chat', 'client', 'documents', 'frames', 'machine', 'pacing', 'parlor', 'projects', 'rooms'];
  assert.deepEqual([...loaded].sort(), names.map((name) => `/client/${name}.js`));
});
