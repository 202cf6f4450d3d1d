/** The memory core: {@link createCore} makes a machine's memory, {@link MemoryCore} is what it does. */
export type { CapacityConfig, CapacityModel, ReferenceCounts, ReferenceStream } from './capacity.ts';
export { createCapacityModel } from './capacity.ts';
export { compileCore, compileCoreAsync, coreBytes } from './compile.ts';
export * from './memory-core.ts';
export type { CoreOptions } from './wasm-core.ts';
export { createCore } from './wasm-core.ts';
