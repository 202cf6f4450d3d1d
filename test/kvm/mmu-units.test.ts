import { describe, expect, it } from 'vitest';
import { findEntry } from '../../src/kvm/cpuid.ts';
import { Mutex, RwLock } from '../../src/kvm/locks.ts';
import { MemoryAttributes } from '../../src/kvm/mmu/attributes.ts';
import { isEmulated, passesFilter } from '../../src/kvm/msr.ts';
import { KVM_CPUID_FLAG_SIGNIFCANT_INDEX } from '../../src/spec/kvm-uapi.ts';

describe('memory attributes', () => {
  it('keeps ranges apart and merges neighbours', () => {
    const attributes = new MemoryAttributes();
    attributes.set(0, 100, true);
    attributes.set(100, 200, true);
    expect(attributes.all(0, 200, true)).toBe(true);
    attributes.set(50, 60, false);
    expect(attributes.isPrivate(49)).toBe(true);
    expect(attributes.isPrivate(50)).toBe(false);
    expect(attributes.isPrivate(60)).toBe(true);
    expect(attributes.all(0, 200, true)).toBe(false);
    expect(attributes.all(50, 60, false)).toBe(true);
    expect(attributes.all(50, 61, false)).toBe(false);
  });
});

describe('MSR list', () => {
  it('refuses only the first ISR, TMR and IRR register and writes to read-only MSRs', () => {
    for (const refused of [0x808, 0x80a, 0x80b, 0x810, 0x818, 0x820, 0x10, 0xc000_0081])
      expect(isEmulated(refused, false)).toBe(false);
    for (const passed of [0x811, 0x81f, 0x827, 0x830, 0x1b, 0x1a0, 0x200, 0x26f, 0x47f])
      expect(isEmulated(passed, false)).toBe(true);
    for (const readOnly of [0x1b, 0xc000_0080, 0x3a]) expect(isEmulated(readOnly, true)).toBe(false);
    expect(isEmulated(0x1a0, true)).toBe(true);
  });

  it('filters by the first range that covers the MSR, never x2APIC registers', () => {
    const filter = { allowByDefault: false, ranges: [{ read: true, write: false, base: 0x1a0, bits: [true, false] }] };
    expect(passesFilter(filter, 0x1a0, false)).toBe(true);
    expect(passesFilter(filter, 0x1a1, false)).toBe(false);
    expect(passesFilter(filter, 0x1a0, true)).toBe(false);
    expect(passesFilter(filter, 0x830, true)).toBe(true);
    expect(passesFilter(null, 0x10, true)).toBe(true);
  });
});

describe('CPUID entries', () => {
  it('an entry without the flag matches every sub-leaf of its function', () => {
    const entry = { function: 4, index: 1, flags: 0, eax: 1, ebx: 0, ecx: 0, edx: 0 };
    expect(findEntry([entry], 4, 3)).toBe(entry);
    expect(findEntry([{ ...entry, flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX }], 4, 3)).toBeUndefined();
    expect(findEntry([{ ...entry, flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX }], 4, 1)).toBeDefined();
  });
});

describe('locks', () => {
  it('make the second taker wait', () => {
    const mutex = new Mutex('m');
    expect(mutex.lock().next().done).toBe(true);
    const second = mutex.lock();
    const wait = second.next();
    expect(wait.done).toBe(false);
    mutex.unlock();
    expect(second.next().done).toBe(true);
  });

  it('let readers share and keep a writer out', () => {
    const lock = new RwLock('l');
    expect(lock.read().next().done).toBe(true);
    expect(lock.read().next().done).toBe(true);
    const writer = lock.write();
    expect(writer.next().done).toBe(false);
    lock.readUnlock();
    lock.readUnlock();
    expect(writer.next().done).toBe(true);
    expect(lock.read().next().done).toBe(false);
  });

  it('give up when killed', () => {
    const mutex = new Mutex('m');
    mutex.lock().next();
    expect(mutex.lockKillable(() => true).next()).toEqual({ done: true, value: false });
  });
});
