import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block } from '../readme-blocks.ts';
import { Consumer, census, entries, importAll, manifest, requireAll, root, tool } from './consumer.ts';

type Census = Readonly<Record<string, readonly string[]>>;

let consumer: Consumer;
let expected: Census;

beforeAll(() => {
  consumer = new Consumer();
  consumer.write('esm.mjs', census(importAll));
  expected = JSON.parse(consumer.node('esm.mjs')) as Census;
});
afterAll(() => consumer?.remove());

describe('the packed library', () => {
  it('has the licence, the readme, the core and every export, and no sources or listings', () => {
    const { files } = consumer;
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'dist/wasm/core.wasm']));
    for (const target of Object.values(manifest.exports)) {
      for (const path of typeof target === 'string' ? [target] : [target.types, target.default])
        expect(files).toContain(path.slice(2));
    }
    expect(files.filter((file) => !/^dist\/.*\.(js|d\.ts|wasm)$|^(LICENSE|README\.md|package\.json)$/.test(file))).toEqual([]);
  });

  it('is imported from ESM: every entry exports something', () => {
    expect(Object.keys(expected)).toEqual(entries);
    for (const [entry, names] of Object.entries(expected)) expect(names, entry).not.toHaveLength(0);
  });

  it('is required from CommonJS, with the same exports', () => {
    consumer.write('cjs.cjs', census(requireAll));
    expect(JSON.parse(consumer.node('cjs.cjs'))).toEqual(expected);
  });

  it('exports a core.wasm that a caller may compile', () => {
    consumer.write(
      'wasm.mjs',
      `import { readFileSync } from 'node:fs';
const module = new WebAssembly.Module(readFileSync(new URL(import.meta.resolve('${manifest.name}/core.wasm'))));
console.log(WebAssembly.Module.exports(module).length, WebAssembly.Module.imports(module).map(({ module, name }) => module + '.' + name).sort().join());`,
    );
    const [exports, imports] = consumer.node('wasm.mjs').trim().split(' ');
    expect(Number(exports)).toBeGreaterThan(10);
    expect((imports ?? '').split(',').filter((name) => !['env.abort', 'env.seed', ''].includes(name))).toEqual([]);
  });

  it('hides what is not exported', () => {
    consumer.write('deep.mjs', `import '${manifest.name}/dist/src/index.js';`);
    expect(() => consumer.node('deep.mjs')).toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  it('has a command', () => {
    const command = join(consumer.directory, 'node_modules/.bin/seamline');
    expect(existsSync(command)).toBe(true);
    expect(consumer.node(command, '--help')).toMatch(/boot[\s\S]*measure/);
    expect(consumer.node(command, '--version').trim()).toBe(manifest.version);
  });
});

describe('the README’s library snippet', () => {
  it('type-checks against the package’s types and runs', () => {
    consumer.write('snippet.mts', block('snippet'));
    const options = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,dom', '--strict'];
    consumer.node(tool('typescript/bin/tsc'), 'snippet.mts', '--ignoreConfig', ...options);
    const [verdict = '', line = ''] = consumer.node('snippet.mjs').trimEnd().split('\n');
    expect(verdict).toMatch(/^ok [0-9a-f]{96}$/);
    expect(line).toMatch(/^42n false [1-9]\d*$/);
  });
});

describe('bundlers without configuration', () => {
  it.each(['node', 'browser'] as const)('esbuild for %s', async (platform) => {
    consumer.write('entry.mjs', census(importAll));
    const outfile = join(consumer.directory, `esbuild-${platform}.mjs`);
    const result = await build({
      absWorkingDir: consumer.directory,
      entryPoints: ['entry.mjs'],
      bundle: true,
      format: 'esm',
      platform,
      outfile,
    });
    expect(result).toMatchObject({ errors: [], warnings: [] });
    expect(JSON.parse(consumer.node(outfile))).toEqual(expected);
  });

  it('none of them needs what only the command needs', async () => {
    consumer.write('entry.mjs', census(importAll));
    const { metafile } = await build({
      absWorkingDir: consumer.directory,
      entryPoints: ['entry.mjs'],
      bundle: true,
      format: 'esm',
      platform: 'node',
      metafile: true,
      write: false,
    });
    const packages = Object.keys(metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
    expect(packages).toContain(manifest.name);
    expect(packages).not.toContain('commander');
    const allowed = [manifest.name, '@assemblyscript/loader', '@noble/hashes', undefined];
    expect(packages.filter((name) => !allowed.includes(name))).toEqual([]);
    expect(Object.keys(metafile.inputs).filter((path) => path.includes('src/cli/'))).toEqual([]);
  });

  it('Vite, and the result runs in a browser', async ({ skip }) => {
    const executablePath = process.env.SEAMLINE_CHROMIUM ?? '/usr/bin/chromium';
    if (!existsSync(executablePath) && !process.env.SEAMLINE_REQUIRE_CHROMIUM) skip(`no Chromium at ${executablePath}`);
    consumer.write('main.js', census(importAll, 'document.body.textContent = JSON.stringify(census);'));
    consumer.write(
      'index.html',
      '<!doctype html><title>consumer</title><body><script type="module" src="/main.js"></script></body>',
    );
    consumer.node(tool('vite/bin/vite.js'), 'build', '--logLevel', 'error');
    const dist = join(consumer.directory, 'dist');
    const server = createServer((request, response) => {
      const path = request.url === '/' ? '/index.html' : (request.url ?? '');
      const file = join(dist, path);
      if (!existsSync(file)) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-type': path.endsWith('.js') ? 'text/javascript' : 'text/html' }).end(readFileSync(file));
    }).listen(0);
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
      await page.waitForFunction('document.body.textContent.length > 2');
      expect(errors).toEqual([]);
      expect(JSON.parse((await page.textContent('body')) ?? '')).toEqual(expected);
    } finally {
      await browser.close();
      server.close();
    }
  });
});

describe('types', () => {
  it.each([
    ['nodenext', 'nodenext'],
    ['bundler', 'esnext'],
  ])('check under moduleResolution %s, without skipLibCheck', (moduleResolution, module) => {
    const uses = entries.map(
      (entry, i) =>
        `import * as m${i} from '${entry}';\nexport type T${i} = typeof m${i};\nconst k${i}: number = Object.keys(m${i}).length;`,
    );
    consumer.write('types.mts', `${uses.join('\n')}\nexport const total = ${entries.map((_, i) => `k${i}`).join(' + ')};\n`);
    const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2023,dom'];
    consumer.node(
      tool('typescript/bin/tsc'),
      'types.mts',
      '--ignoreConfig',
      '--module',
      module,
      '--moduleResolution',
      moduleResolution,
      ...options,
    );
    consumer.write('wrong.mts', `import { nothingOfTheKind } from '${manifest.name}';\nexport const x = nothingOfTheKind;\n`);
    const wrong = () =>
      consumer.node(
        tool('typescript/bin/tsc'),
        'wrong.mts',
        '--ignoreConfig',
        '--module',
        module,
        '--moduleResolution',
        moduleResolution,
        ...options,
      );
    expect(wrong).toThrow(expect.objectContaining({ stdout: expect.stringContaining("no exported member 'nothingOfTheKind'") }));
  });

  it('satisfy publint', () => {
    expect(consumer.node(tool('publint/src/cli.js'), '--strict', consumer.tarball)).toContain('All good');
  });

  it('satisfy are-the-types-wrong for an ESM-only package', () => {
    const output = consumer.node(
      tool('@arethetypeswrong/cli/dist/index.js'),
      consumer.tarball,
      '--profile',
      'esm-only',
      '--exclude-entrypoints',
      'core.wasm',
      '--format',
      'ascii',
      '--no-color',
    );
    for (const entry of entries) expect(output).toContain(`"${entry}"`);
    expect(output.match(/^(node16 \(from ESM\)|bundler): 🟢/gm)).toHaveLength(2 * (entries.length + 1));
  });

  it('are told apart from sources: the package ships no .ts', () => {
    expect(consumer.files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    expect(existsSync(join(root, 'dist/wasm/core.wasm'))).toBe(true);
  });
});
