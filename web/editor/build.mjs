// Bundles `entry.js` with the libraries it names into `libraries.js`, and writes down their licences. The same
// sources give the same bytes; `--check` writes nothing, and fails when the files that are there would change.

import { readFile, readdir, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const CHECK = process.argv.includes('--check');
/** What a page may have to load at most, in bytes. */
const BUNDLE_BYTES_MAX = 700 * 1024;
const HEAD = '// Bundled from web/editor/entry.js by `npm run build` there. Whose code it is stands in LICENSES.txt.\n';

const { outputFiles, metafile } = await build({
  absWorkingDir: import.meta.dirname ?? new URL('.', import.meta.url).pathname,
  entryPoints: ['entry.js'],
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  charset: 'utf8',
  banner: { js: HEAD.trimEnd() },
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
  write: false,
  logLevel: 'warning',
});
const [bundle] = outputFiles;
if (bundle.contents.length > BUNDLE_BYTES_MAX) {
  throw new Error(`the bundle of ${bundle.contents.length} bytes is over the limit of ${BUNDLE_BYTES_MAX}`);
}
await keep('libraries.js', bundle.text);
await keep('LICENSES.txt', await licences(Object.keys(metafile.inputs)));
console.log(`libraries.js: ${bundle.contents.length} bytes`);

async function keep(name, text) {
  const file = new URL(name, import.meta.url);
  if (!CHECK) return writeFile(file, text);
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept !== text) throw new Error(`${name} is not what the sources build: run \`npm ci && npm run build\` in web/editor`);
}

/** The licences of the packages that are in the bundle. */
async function licences(inputs) {
  const packages = new Set(inputs.flatMap((input) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []));
  const texts = await Promise.all([...packages].sort().map(licence));
  return `What is bundled in libraries.js, and under which licences.\n\n${texts.join('\n')}`;
}

async function licence(name) {
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const { version, license } = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'));
  const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? (await readFile(new URL(file, folder), 'utf8')).trim() : 'The package has no text of its licence.';
  return `${'='.repeat(100)}\n${name} ${version} (${license})\n\n${text}\n`;
}
