/** The Wasm module, compiled once a process, and one instance of it for each machine. */
import { instantiateSync } from '@assemblyscript/loader';
import { ABORT_OUT_OF_INSTANCES, ABORT_OUT_OF_MEMORY } from '../assembly/layout.ts';
import type { CoreExports } from './core-exports.ts';
import { CoreMisuse } from './memory-core.ts';
import { wasmBase64 } from './wasm-inline.ts';

let compiled: WebAssembly.Module | undefined;

/** The core's bytes, for a caller that compiles or streams them himself. */
export function coreBytes(): Uint8Array<ArrayBuffer> {
  const text = atob(wasmBase64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Compiles the core, once a process. The module may be posted to workers. */
export function compileCore(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(coreBytes());
  return compiled;
}

/** As {@link compileCore} without blocking the thread. */
export async function compileCoreAsync(): Promise<WebAssembly.Module> {
  compiled ??= await WebAssembly.compile(coreBytes());
  return compiled;
}

export function outOfMemory(): CoreMisuse {
  return new CoreMisuse(
    'OUT_OF_MEMORY',
    'the machine has used up its Wasm memory (at most 4 GiB): touch less of the simulated memory, or use several machines',
  );
}

function outOfInstances(): CoreMisuse {
  return new CoreMisuse(
    'OUT_OF_MEMORY',
    'lines in DRAM were written under nearly 2^20 different keys, more than the machine can tell apart: overwrite some of them, or program keys less often',
  );
}

function abort(_message: number, _file: number, line: number, column: number): never {
  if (line === ABORT_OUT_OF_MEMORY) throw outOfMemory();
  if (line === ABORT_OUT_OF_INSTANCES) throw outOfInstances();
  throw new Error(`Wasm core aborted at ${line}:${column}`);
}

/** A fresh instance: one machine. */
export function instantiateCore(module: WebAssembly.Module): CoreExports {
  const env = { abort, seed: (): number => 0 };
  return instantiateSync<CoreExports>(module, { env }).instance.exports as CoreExports;
}
