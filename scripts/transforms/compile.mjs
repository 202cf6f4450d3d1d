// Compiles AssemblyScript with its sources rewritten behind the parser: an AssemblyScript transform, and a call of asc around it.
import { Parser, SourceKind } from 'assemblyscript';
import asc from 'assemblyscript/asc';
import { isProjectSource } from './syntax.mjs';

/**
 * A transform that replaces each project source by what `rewrite(source)` makes of its text, and adds `runtime` as a source of its
 * own; `runtime()` is asked after all rewriting.
 */
function rewriting(rewrite, runtime) {
  return {
    afterParse(parser) {
      const { sources } = parser;
      sources.forEach((source, i) => {
        if (!isProjectSource(source)) return;
        const again = new Parser(parser.diagnostics);
        again.parseFile(rewrite(source), source.normalizedPath, source.sourceKind === SourceKind.UserEntry);
        const [rewritten] = again.sources;
        rewritten.exportPaths = source.exportPaths;
        sources[i] = rewritten;
      });
      parser.parseFile(runtime(), 'seamline-instrument.ts', false);
    },
  };
}

/** Runs asc with `args`; `files` (name → text) come before those on disk. Returns the Wasm binary; throws with asc's messages. */
export async function compile(args, { rewrite, runtime, files }) {
  let binary;
  const { error, stderr } = await asc.main([...args, '--outFile', 'out.wasm'], {
    transforms: [rewriting(rewrite, runtime)],
    writeFile: (name, contents) => {
      if (name === 'out.wasm') binary = contents;
    },
    ...(files && { readFile: (name) => files[name] ?? null, listFiles: () => [] }),
  });
  if (error || !binary) throw new Error(`asc: ${error?.message ?? 'no output'}\n${stderr.toString()}`);
  return binary;
}

/** The core as asconfig.json has it, but without the whole-program rounds that make the release build slow. */
export const CORE_ARGS = ['--config', 'asconfig.json', '--optimizeLevel', '2', '--noAssert'];
