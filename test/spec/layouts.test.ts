import { describe, expect, it } from 'vitest';
import { array, raw, u8, u16, u32, u64, wide } from '../../src/spec/field.ts';
import * as uapi from '../../src/spec/kvm-uapi.ts';
import * as v10 from '../../src/spec/kvm-uapi-v10.ts';
import * as layouts from '../../src/spec/layouts.ts';
import * as tdvf from '../../src/spec/tdvf.ts';

interface Placed {
  readonly offset: number;
  readonly size: number;
}

const isField = (value: unknown): value is Placed =>
  typeof value === 'object' && value !== null && 'offset' in value && 'size' in value;

/** All fields of a structure; nested objects are members of a union or inner structures. */
function fieldsOf(struct: object, path = ''): { name: string; offset: number; size: number; group: string }[] {
  return Object.entries(struct).flatMap(([name, value]) => {
    if (isField(value)) return [{ name: path + name, offset: value.offset, size: value.size, group: path }];
    return typeof value === 'object' && value !== null ? fieldsOf(value, `${path}${name}.`) : [];
  });
}

const structures = [layouts, uapi, v10, tdvf].flatMap((module) =>
  Object.entries(module).filter(
    (entry): entry is [string, { SIZE: number }] => typeof entry[1] === 'object' && 'SIZE' in entry[1],
  ),
);

/** Fields that are meant to lie over others. */
const views = new Set(['PAMT_ENTRY.WORD0', 'code_kvm_tdx_init_vm.reserved']);

describe('fields', () => {
  it('read and write little-endian at any base, and nothing beside', () => {
    const bytes = new Uint8Array(64).fill(0xee);
    const cases = [
      [u8(3), 0xab, [0xab]],
      [u16(3), 0xabcd, [0xcd, 0xab]],
      [u32(3), 0xfedcba98, [0x98, 0xba, 0xdc, 0xfe]],
      [wide(3, 5), 0xfe_dcba_9876, [0x76, 0x98, 0xba, 0xdc, 0xfe]],
    ] as const;
    for (const [field, value, expected] of cases) {
      bytes.fill(0xee);
      field.set(bytes, value, 20);
      expect([...bytes.subarray(23, 23 + field.size)]).toEqual([...expected]);
      expect([...bytes.subarray(0, 23), ...bytes.subarray(23 + field.size)].every((b) => b === 0xee)).toBe(true);
      expect(field.get(bytes, 20)).toBe(value);
      expect(field.load(bytes, 23)).toBe(value);
    }
  });

  it('give 64-bit values as bigint or number', () => {
    const bytes = new Uint8Array(32);
    const field = u64(8);
    field.set(bytes, 0xfedc_ba98_7654_3210n);
    expect(field.get(bytes)).toBe(0xfedc_ba98_7654_3210n);
    field.setNumber(bytes, 0x000f_ffff_ffff_f000);
    expect(field.get(bytes)).toBe(0x000f_ffff_ffff_f000n);
    expect(field.getNumber(bytes)).toBe(0x000f_ffff_ffff_f000);
  });

  it('see another array, and the same array after its memory moved', () => {
    const first = new Uint8Array([1, 0, 0, 0]);
    const second = new Uint8Array([2, 0, 0, 0]);
    expect([u32(0).get(first), u32(0).get(second), u32(0).get(first)]).toEqual([1, 2, 1]);
    const memory = new WebAssembly.Memory({ initial: 1 });
    const old = new Uint8Array(memory.buffer);
    old[0] = 7;
    expect(u32(0).get(old)).toBe(7);
    memory.grow(1);
    expect(u32(0).get(new Uint8Array(memory.buffer))).toBe(7);
    expect(() => u32(0).get(old)).toThrow();
  });

  it('copy raw bytes and refuse a wrong length', () => {
    const bytes = new Uint8Array(8);
    raw(2, 4).set(bytes, new Uint8Array([1, 2, 3, 4]));
    const copy = raw(2, 4).get(bytes);
    copy[0] = 9;
    expect([...bytes]).toEqual([0, 0, 1, 2, 3, 4, 0, 0]);
    expect(() => raw(2, 4).set(bytes, new Uint8Array(5))).toThrow(RangeError);
  });

  it('index arrays', () => {
    const bytes = new Uint8Array(64);
    const words = array(u64, 8, 4);
    words.set(bytes, 3, 0x1234n, 16);
    expect(words.item(3).offset).toBe(32);
    expect(words.item(3).getNumber(bytes, 16)).toBe(0x1234);
    expect(words.get(bytes, 2, 16)).toBe(0n);
  });
});

describe('structures', () => {
  it('keep their fields inside and apart', () => {
    expect(structures.length).toBeGreaterThan(30);
    for (const [name, struct] of structures) {
      const base = name === 'TD_VMCS' ? 4096 : 0;
      const fields = fieldsOf(struct).filter((f) => !views.has(`${name}.${f.name}`));
      for (const f of fields) expect(f.offset + f.size - base, `${name}.${f.name} ends inside`).toBeLessThanOrEqual(struct.SIZE);
      const ordered = [...fields].sort((a, b) => a.group.localeCompare(b.group) || a.offset - b.offset);
      ordered.forEach((f, i) => {
        const before = ordered[i - 1];
        if (before?.group === f.group)
          expect(f.offset, `${name}.${f.name} after ${before.name}`).toBeGreaterThanOrEqual(before.offset + before.size);
      });
    }
  });

  it('agree with the sizes and places of the specification', () => {
    const { CMR_INFO, PAMT_ENTRY, TD_PARAMS, TDCS, TDINFO_STRUCT, TDMR_INFO, TDREPORT_STRUCT, TDSYSINFO_STRUCT, TDVPS, VE_INFO } =
      layouts;
    expect([
      CMR_INFO.SIZE,
      TDMR_INFO.SIZE,
      PAMT_ENTRY.SIZE,
      TD_PARAMS.SIZE,
      TDSYSINFO_STRUCT.SIZE,
      TDREPORT_STRUCT.SIZE,
      TDINFO_STRUCT.SIZE,
    ]).toEqual([16, 320, 16, 1024, 1024, 1024, 512]);
    expect(TDMR_INFO.RESERVED_AREAS.at(15) + layouts.RESERVED_AREA.SIZE).toBe(320);
    expect(TDREPORT_STRUCT.TDINFO_STRUCT.offset + TDINFO_STRUCT.MRTD.offset).toBe(528);
    expect(TDREPORT_STRUCT.TDINFO_STRUCT.offset + TDINFO_STRUCT.RTMR.item(3).offset).toBe(864);
    expect([TDCS.MRTD.offset, TDCS.TD_EPOCH.offset, TDVPS.RAX.offset, TDVPS.R15.offset, VE_INFO.GPA.offset]).toEqual([
      0x240, 0x200, 0x980, 0x9f8, 24,
    ]);
    expect(TD_PARAMS.CPUID_CONFIG_VALUES.at(48)).toBe(TD_PARAMS.SIZE);
  });

  it('keep the VMCS fields inside page 1 of TDVPS', () => {
    for (const { offset, size } of fieldsOf(layouts.TD_VMCS)) {
      expect(Math.floor(offset / 4096)).toBe(1);
      expect(Math.floor((offset + size - 1) / 4096)).toBe(1);
      expect(offset % size).toBe(0);
    }
    expect(Object.keys(layouts.VMCS_ENCODING).sort()).toEqual(
      fieldsOf(layouts.TD_VMCS)
        .map(({ name }) => name)
        .sort(),
    );
  });
});

describe('the KVM ABI', () => {
  /** _IOC_SIZE: bits 29:16 of an ioctl number. */
  const sizeIn = (ioctl: number) => (ioctl >>> 16) & 0x3fff;

  it.each([
    ['KVM_SET_USER_MEMORY_REGION', uapi.KVM_SET_USER_MEMORY_REGION, uapi.kvm_userspace_memory_region.SIZE],
    ['KVM_SET_USER_MEMORY_REGION2', uapi.KVM_SET_USER_MEMORY_REGION2, uapi.kvm_userspace_memory_region2.SIZE],
    ['KVM_SET_MEMORY_ATTRIBUTES', uapi.KVM_SET_MEMORY_ATTRIBUTES, uapi.kvm_memory_attributes.SIZE],
    ['KVM_CREATE_GUEST_MEMFD', uapi.KVM_CREATE_GUEST_MEMFD, uapi.kvm_create_guest_memfd.SIZE],
    ['KVM_PRE_FAULT_MEMORY', uapi.KVM_PRE_FAULT_MEMORY, uapi.kvm_pre_fault_memory.SIZE],
    ['KVM_ENABLE_CAP', uapi.KVM_ENABLE_CAP, uapi.kvm_enable_cap.SIZE],
    ['KVM_SET_CPUID2', uapi.KVM_SET_CPUID2, uapi.kvm_cpuid2.SIZE],
    ['TDX_CMD_GET_REPORT0', uapi.TDX_CMD_GET_REPORT0, uapi.tdx_report_req.SIZE],
  ])('the number of %s carries the size of its structure', (_, ioctl, size) => {
    expect(sizeIn(ioctl)).toBe(size);
  });

  const bytesOf = (words: readonly (readonly [bits: 32 | 64, value: bigint])[]) =>
    words.flatMap(([bits, value]) => Array.from({ length: bits / 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)));
  const command = { id: 3, flags: 0x80000001, data: 0x0123_4567_89ab_cdefn, error: 0xc000_0100_0000_0001n };
  const head = [
    [32, BigInt(command.id)],
    [32, BigInt(command.flags)],
    [64, command.data],
    [64, command.error],
  ] as const;

  it('[S2-04] the command is 24 bytes upstream and 32 in v10, byte for byte', () => {
    const upstream = new Uint8Array(uapi.kvm_tdx_cmd.SIZE);
    uapi.kvm_tdx_cmd.id.set(upstream, command.id);
    uapi.kvm_tdx_cmd.flags.set(upstream, command.flags);
    uapi.kvm_tdx_cmd.data.set(upstream, command.data);
    uapi.kvm_tdx_cmd.hw_error.set(upstream, command.error);
    expect([...upstream]).toEqual(bytesOf(head));
    expect(uapi.kvm_tdx_cmd.hw_error.get(upstream)).toBe(command.error);

    for (const layout of [v10.doc_kvm_tdx_cmd, v10.code_kvm_tdx_cmd]) {
      const old = new Uint8Array(layout.SIZE);
      layout.id.set(old, command.id);
      layout.flags.set(old, command.flags);
      layout.data.set(old, command.data);
      layout.error.set(old, command.error);
      layout.unused.set(old, 0x55n);
      expect([...old]).toEqual(bytesOf([...head, [64, 0x55n]]));
      expect(layout.flags.get(old)).toBe(command.flags);
    }
    expect(upstream.length).not.toBe(v10.doc_kvm_tdx_cmd.SIZE);
  });

  it('[S2-43] an INIT_MEM_REGION is source_addr, gpa and nr_pages, in every ABI', () => {
    for (const layout of [uapi.kvm_tdx_init_mem_region, v10.doc_kvm_tdx_init_mem_region, v10.code_kvm_tdx_init_mem_region]) {
      const bytes = new Uint8Array(layout.SIZE);
      layout.source_addr.set(bytes, 0x7f00_1234_5000n);
      layout.gpa.set(bytes, 0xffc8_4000n);
      layout.nr_pages.set(bytes, 899n);
      expect([...bytes]).toEqual(
        bytesOf([
          [64, 0x7f00_1234_5000n],
          [64, 0xffc8_4000n],
          [64, 899n],
        ]),
      );
    }
  });

  it('places the exit union of kvm_run at 32, 256 bytes', () => {
    const members = fieldsOf(uapi.kvm_run).filter(({ group }) => group !== '');
    expect(members.length).toBeGreaterThan(30);
    for (const { name, offset, size } of members) {
      expect(offset, name).toBeGreaterThanOrEqual(32);
      expect(offset + size, name).toBeLessThanOrEqual(288);
    }
  });
});
