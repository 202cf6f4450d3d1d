// Joins dist/bindings/ into one file behind its entries: a dozen small modules take Node longer to find than the core takes to start.
import { readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const FOLDER = 'dist/bindings';
/** What the package exports, and what dist/src imports. */
const ENTRIES = ['index', 'memory-core', 'checks', 'stress', 'stress-program'];

const { metafile } = await build({
  entryPoints: ENTRIES.map((name) => `${FOLDER}/${name}.js`),
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
