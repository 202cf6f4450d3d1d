// Bundles a program of bench/ and runs it: Node 20 cannot load TypeScript. The first argument names the program, the rest are its own.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const [program, ...args] = process.argv.slice(2);
process.chdir(root);
await build({
  entryPoints: { main: 'bench/main.ts', counts: 'bench/counts/main.ts', 'hot-op': 'bench/counts/hot-op.ts' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  outdir: 'dist/bench',
  outExtension: { '.js': '.mjs' },
  logLevel: 'warning',
});
process.argv = [process.argv[0], `${root}dist/bench/${program}.mjs`, ...args];
await import(pathToFileURL(process.argv[1]).href);
