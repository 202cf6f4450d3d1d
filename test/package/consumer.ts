/** A project of a user: empty, with the packed library installed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** A tool out of this repository's devDependencies. */
export const tool = (path: string): string => join(root, 'node_modules', path);

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

/** Specifiers of the entries that are modules. */
export const entries: readonly string[] = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target === 'object')
  .map(([subpath]) => join(manifest.name, subpath));

export class Consumer {
  readonly directory = mkdtempSync(join(tmpdir(), 'seamline-consumer-'));
  readonly tarball: string;
  readonly files: readonly string[];

  constructor() {
    if (!existsSync(join(root, 'dist'))) throw new Error('no dist/: run `npm run build` before the package tests');
    const output = this.#run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', this.directory], root);
    const [packed] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
    this.tarball = join(this.directory, packed.filename);
    this.files = packed.files.map(({ path }) => path);
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true }));
    this.#run('npm', ['install', '--prefer-offline', '--no-save', '--silent', this.tarball], this.directory);
  }

  write(file: string, text: string): string {
    const path = join(this.directory, file);
    writeFileSync(path, text);
    return path;
  }

  /** Runs Node in the project and returns what it printed. */
  node(...args: string[]): string {
    return this.#run(process.execPath, args, this.directory);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #run(command: string, args: readonly string[], cwd: string): string {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

/** Code that prints what each entry exports, as JSON. */
export const census = (
  load: (specifier: string, index: number) => string,
  tail = 'console.log(JSON.stringify(census));',
): string => `
${entries.map(load).join('\n')}
const census = Object.fromEntries([${entries.map((entry, i) => `['${entry}', m${i}]`).join(', ')}].map(([name, module]) => [
  name,
  Object.keys(module).filter((key) => key !== 'default' && key !== '__esModule' && key !== 'module.exports').sort(),
]));
${tail}
`;
export const importAll = (specifier: string, i: number): string => `import * as m${i} from '${specifier}';`;
export const requireAll = (specifier: string, i: number): string => `const m${i} = require('${specifier}');`;
