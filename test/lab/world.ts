/** A booted machine and a TD made of its control pages, built through the kernel's SEAMCALL wrappers. */
import { expect } from 'vitest';
import type { KnobVector } from '../../src/lab/knobs.ts';
import { Machine } from '../../src/lab/machine.ts';
import type { TdmrRegion } from '../../src/lab/oracles/index.ts';
import type { Cpu } from '../../src/linux/index.ts';
import {
  tdh_mng_addcx,
  tdh_mng_create,
  tdh_mng_key_config,
  tdh_mng_key_freeid,
  tdh_mng_vpflushdone,
  tdh_phymem_cache_wb,
  tdh_phymem_page_reclaim,
} from '../../src/linux/index.ts';
import { type Software, smallMap } from '../../src/platform/index.ts';

const CONTROL_PAGES = 6;

export function poweredOn(knobs: KnobVector = {}, seed = 1n): Machine {
  const machine = new Machine({ seed, knobs, memoryMap: smallMap });
  expect(machine.powerOn().kind).toBe('returned');
  return machine;
}

export function booted(knobs: KnobVector = {}, seed = 1n): Machine {
  const machine = poweredOn(knobs, seed);
  expect(machine.bootLinux()).toEqual({ kind: 'returned', value: 0 });
  return machine;
}

export const tdmrsOf = (machine: Machine): TdmrRegion[] =>
  machine.kernel!.tdx.tdmrs.map(({ base, size, pamt, reserved }) => ({
    base,
    size,
    reserved,
    pamt: [pamt['4k'], pamt['2m'], pamt['1g']],
  }));

/** Runs kernel software on a CPU; it must return. */
export function on<T>(machine: Machine, cpu: number, software: (cpu: Cpu) => Software<T>): T {
  const ending = machine.onCpu(cpu, 'test', software);
  if (ending.kind !== 'returned') throw new Error(`the software ended as ${ending.kind}`);
  return ending.value;
}

/** One CPU of each package of the reference topology. */
const PACKAGE_CPUS = [0, 4] as const;

/** A TD as far as its control pages. Its pages go back by {@link teardown}, a step at a time for tests that leave one out. */
export class SmallTd {
  readonly machine: Machine;
  readonly tdr: number;
  readonly controlPages: number[] = [];
  readonly keyId: number;

  constructor(machine: Machine) {
    this.machine = machine;
    this.keyId = machine.kernel!.tdx.guestKeyIds!.alloc();
    this.tdr = this.#page();
    this.call(0, (cpu) => tdh_mng_create(cpu, this.td, this.keyId));
    for (const cpu of PACKAGE_CPUS) this.call(cpu, (on_) => tdh_mng_key_config(on_, this.td));
    for (let i = 0; i < CONTROL_PAGES; i++) {
      const page = this.#page();
      this.controlPages.push(page);
      this.call(0, (cpu) => tdh_mng_addcx(cpu, this.td, page));
    }
  }

  get td(): Parameters<typeof tdh_mng_create>[1] {
    return { tdr_page: this.tdr } as Parameters<typeof tdh_mng_create>[1];
  }

  call(cpu: number, seamcall: (cpu: Cpu) => Software<bigint>): void {
    expect(on(this.machine, cpu, seamcall)).toBe(0n);
  }

  flushDone(): void {
    this.call(0, (cpu) => tdh_mng_vpflushdone(cpu, this.td));
  }

  writeBack(): void {
    for (const cpu of PACKAGE_CPUS) this.call(cpu, (on_) => tdh_phymem_cache_wb(on_, false));
  }

  freeKeyId(): void {
    this.call(0, (cpu) => tdh_mng_key_freeid(cpu, this.td));
  }

  reclaim(page: number): void {
    this.call(0, function* (cpu) {
      return (yield* tdh_phymem_page_reclaim(cpu, page)).status;
    });
  }

  teardown(): void {
    this.flushDone();
    this.writeBack();
    this.freeKeyId();
    for (const page of [...this.controlPages, this.tdr]) this.reclaim(page);
  }

  #page(): number {
    return this.machine.kernel!.pages.alloc_page(this.machine.kernel!.cpus[0]!, 'test')!;
  }
}
