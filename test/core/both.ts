/** The two implementations of the memory law, for tests in which both live through the same story. */

import { expect } from 'vitest';
import { type CoreConfig, createCore, type MemoryCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';
import { type Engine, Machine } from './shared/engine.ts';

export const ORACLE: Engine = { name: 'oracle', create: (config) => new EagerCore(config) };
export const CORE: Engine = { name: 'core', create: (config) => createCore(config) };
export const ENGINES: readonly Engine[] = [ORACLE, CORE];

/** What both engines answer to a story: equal, and returned. */
export function both<T>(story: (machine: Machine) => T, knobs: Partial<CoreConfig> = {}): T {
  const [oracle, core] = ENGINES.map((engine) => story(new Machine(engine, knobs).programAll()));
  expect(core).toEqual(oracle);
  return core!;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The fault record as a list. */
export function faultOf({ fault }: MemoryCore): unknown {
  const { pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer } = fault;
  return [pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer];
}
