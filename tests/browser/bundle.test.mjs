// The bundle of the editor's libraries is what its sources build.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const EDITOR = fileURLToPath(new URL('../../web/editor/', import.meta.url));

test('the committed bundle and its licences are what web/editor builds', () => {
  assert.ok(existsSync(`${EDITOR}node_modules/esbuild`), '`npm ci` in web/editor installs what builds the bundle');
  const { status, stderr } = spawnSync(process.execPath, ['build.mjs', '--check'], { cwd: EDITOR, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
