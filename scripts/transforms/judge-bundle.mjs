// Bundles the judge with the tests that it runs: on the mutants' module, with a small vitest, and with an oracle that remembers.
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { EMBEDDED_CORE, embeddedText } from './core-module.mjs';

const judge = resolve(import.meta.dirname, 'judge');
const recorded = join(judge, 'recorded-oracle.ts');

const replacements = (binary) => ({
  name: 'replacements',
  setup(builder) {
    builder.onResolve({ filter: /^vitest$/ }, () => ({ path: join(judge, 'vitest.ts') }));
    builder.onResolve({ filter: /\/eager-core\.ts$/ }, ({ importer }) => (importer === recorded ? null : { path: recorded }));
    builder.onLoad({ filter: EMBEDDED_CORE }, () => ({ contents: embeddedText(binary), loader: 'ts' }));
  },
});

export async function bundleJudge(tests, binary, outfile) {
  const imports = tests.map((test) => `import ${JSON.stringify(resolve(test))};`).join('\n');
  await build({
    stdin: { contents: `${imports}\nimport ${JSON.stringify(join(judge, 'judge.ts'))};`, resolveDir: process.cwd() },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    // package.json says that no file has side effects: a test file is nothing else.
    ignoreAnnotations: true,
    plugins: [replacements(binary)],
    logLevel: 'warning',
  });
}
