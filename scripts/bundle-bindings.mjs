// Joins dist/bindings/ into one file behind its entries: a dozen small modules take Node longer to find than the core takes to start.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const FOLDER = 'dist/bindings';

/** What the package exports, and what dist/src imports. */
const entries = new Set(['index']);
for (const name of readdirSync('dist/src', { recursive: true })) {
  if (!name.endsWith('.js')) continue;
  for (const [, entry] of readFileSync(`dist/src/${name}`, 'utf8').matchAll(/\/bindings\/([\w-]+)\.js['"]/g)) entries.add(entry);
}

const { metafile } = await build({
  entryPoints: [...entries].map((name) => `${FOLDER}/${name}.js`),
  outdir: FOLDER,
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  chunkNames: 'core-[hash]',
  legalComments: 'inline',
  logLevel: 'warning',
  metafile: true,
});

const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(FOLDER)) if (name.endsWith('.js') && !written.has(name)) rmSync(`${FOLDER}/${name}`);
