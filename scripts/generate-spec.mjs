// Writes src/spec/*.ts and assembly/spec/*.ts from spec/*.json; with --check fails when a checked-in file is stale.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const emitters = join(root, 'scripts/spec');
const outputDirectories = ['src/spec', 'assembly/spec'];

const stored = (path) => {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
};

/** All outputs, path → text: every emitter in scripts/spec exports `emit(read)` and returns such an object. */
async function generate() {
  const read = (name) => JSON.parse(readFileSync(join(root, 'spec', `${name}.json`), 'utf8'));
  const outputs = new Map();
  for (const file of readdirSync(emitters).sort()) {
    if (!file.startsWith('emit-')) continue;
    const { emit } = await import(new URL(`./spec/${file}`, import.meta.url));
    for (const [path, text] of Object.entries(emit(read))) outputs.set(path, text);
  }
  return outputs;
}

const outputs = await generate();
const orphans = outputDirectories.flatMap((directory) =>
  readdirSync(join(root, directory))
    .map((file) => `${directory}/${file}`)
    .filter((path) => !outputs.has(path)),
);
const stale = [...outputs].filter(([path, text]) => stored(path) !== text).map(([path]) => path);

if (process.argv.includes('--check')) {
  for (const path of stale) console.error(`stale: ${path}`);
  for (const path of orphans) console.error(`not generated from spec/: ${path}`);
  if (stale.length + orphans.length > 0) {
    console.error('run: node scripts/generate-spec.mjs');
    process.exitCode = 1;
  }
} else {
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), outputs.get(path));
    console.log(`wrote ${path}`);
  }
  for (const path of orphans) console.error(`not generated from spec/: ${path}`);
}
