/** The command and its worker, built as Node runs them: a worker thread of Node 20 takes no TypeScript. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Bundle {
  /** A directory of its own, for files too. */
  readonly directory: string;
  readonly main: string;
  readonly worker: URL;
  remove(): void;
}

export function bundleCli(): Bundle {
  const directory = mkdtempSync(join(tmpdir(), 'seamline-cli-'));
  // The built files find packages, and their own one, where the sources do.
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(directory, name));
  buildSync({
    entryPoints: { main: join(root, 'src/cli/main.ts'), worker: join(root, 'src/cli/stress/worker.ts') },
    outdir: directory,
    bundle: true,
    // What is loaded late stays so.
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
  return {
    directory,
    main: join(directory, 'main.js'),
    worker: pathToFileURL(join(directory, 'worker.js')),
    remove: () => rmSync(directory, { recursive: true }),
  };
}
