import { type Cpu, type CpuidConfig, on_each_cpu, tdx_get_sysinfo, wbinvd } from '../linux/index.ts';
import type { Software } from '../platform/index.ts';
import type { CpuidEntry } from '../spec/cpuid-entry.ts';
import { EINVAL, ENODEV } from '../spec/errno.ts';
import { FEATURES0 } from '../spec/features.ts';
import { type KnobValue, readKnobs } from '../spec/knob.ts';
import { ATTRIBUTES, XFAM } from '../spec/layouts.ts';
import { PHYSICAL_BITS_LEAF, withGuestPhysicalBits, withoutUnsupportedTdBits } from './cpuid.ts';
import { kvmKnobs } from './knobs.ts';
import type { Kvm, TdxCaps } from './kvm.ts';
import { Mutex } from './locks.ts';
import { PAGE_SIZE } from './mmu/ept.ts';
import { kvmDevice } from './system/index.ts';
import { startTdx } from './virtualization.ts';

const SUPPORTED_ATTRIBUTES = ATTRIBUTES.SEPT_VE_DISABLE;
/** What KVM can save and restore, and PT and CET, which it leaves to the module. */
const SUPPORTED_XFAM =
  XFAM.X87 |
  XFAM.SSE |
  XFAM.AVX |
  XFAM.AVX512_OPMASK |
  XFAM.AVX512_ZMM_HI256 |
  XFAM.AVX512_HI16_ZMM |
  XFAM.PT |
  XFAM.PKRU |
  XFAM.CET_U |
  XFAM.CET_S |
  XFAM.AMX_TILECFG |
  XFAM.AMX_TILEDATA;

const TSC_LEAF = 0x15;
/** When CPUID does not say (assumed). */
const DEFAULT_TSC_KHZ = 2_000_000;
const NO_SUBLEAF = 0xffff_ffff;

/** Loads kvm_intel: /dev/kvm is there afterwards. The module, or -errno when loading fails; TDX that is not usable is no failure. */
export function* loadKvm(cpu: Cpu, vector: Readonly<Record<string, KnobValue>> = {}): Software<Kvm | number> {
  const { kernel } = cpu;
  const knobs = readKnobs(kvmKnobs, vector);
  const tdx = knobs['kvm.tdx'] === 'on' ? yield* bringUpTdx(cpu) : null;
  if (typeof tdx === 'number') return tdx;
  const kvm: Kvm = { knobs, tdx, vms: new Set(), tdxLock: new Mutex('tdx_lock'), tscKhz: hostTscKhz(cpu) };
  const registered = kernel.devices.misc_register(kvmDevice(kvm));
  if (registered < 0) return registered;
  if (tdx) kernel.rebootNotifiers.push(disableVirtualization);
  return kvm;
}

/** tdx_bringup: null when TDX is off, an errno when the module cannot be loaded. */
function* bringUpTdx(cpu: Cpu): Software<TdxCaps | number | null> {
  const { tdx, knobs } = cpu.kernel;
  if (!tdx.hostPlatform) return off(cpu, 'no TDX private KeyIDs available');
  if (knobs['kernel.tdxInit'] === 'on-demand') {
    const errno = yield* startTdx(cpu);
    if (errno === -ENODEV) return off(cpu, 'the TDX module is not there');
    if (errno !== 0) return refuse(cpu, 'TDX could not be started', errno);
  }
  return tdxCaps(cpu);
}

function tdxCaps(cpu: Cpu): TdxCaps | number | null {
  const sysinfo = tdx_get_sysinfo(cpu);
  if (!sysinfo) return off(cpu, 'TDX module is not initialized');
  const { td_conf, td_ctrl, features } = sysinfo;
  const supportedAttrs = supported(SUPPORTED_ATTRIBUTES, td_conf.attributes_fixed0, td_conf.attributes_fixed1);
  const supportedXfam = supported(SUPPORTED_XFAM, td_conf.xfam_fixed0, td_conf.xfam_fixed1);
  if (supportedAttrs === null || supportedXfam === null)
    return refuse(cpu, 'the module forces ATTRIBUTES or XFAM bits that KVM does not support');
  if ((features.tdx_features0 & FEATURES0.TOPOLOGY_ENUM) === 0n) return refuse(cpu, 'TDX module lacks TOPOLOGY_ENUM');
  if (td_conf.max_vcpus_per_td < cpu.kernel.cpus.length)
    return refuse(cpu, 'the module allows fewer vCPUs a TD than there are CPUs');
  return {
    supportedAttrs,
    supportedXfam,
    attributesFixed1: td_conf.attributes_fixed1,
    xfamFixed1: td_conf.xfam_fixed1,
    cpuidConfigs: td_conf.cpuid_configs.map(configurable),
    maxVcpusPerTd: td_conf.max_vcpus_per_td,
    tdcsPages: td_ctrl.tdcs_base_size / PAGE_SIZE,
    tdcxPages: td_ctrl.tdvps_base_size / PAGE_SIZE - 1,
  };
}

function off(cpu: Cpu, why: string): null {
  cpu.printk('warn', 'kvm_intel', `TDX is off: ${why}`);
  return null;
}

function refuse(cpu: Cpu, why: string, errno: number = -EINVAL): number {
  cpu.printk('err', 'kvm_intel', `loading failed: ${why}`, { errno });
  return errno;
}

/** What KVM supports of what the module allows; null when the module forces a bit that KVM does not support. */
const supported = (bits: bigint, fixed0: bigint, fixed1: bigint): bigint | null =>
  (bits & fixed1) === fixed1 ? bits & fixed0 : null;

/** td_init_cpuid_entry2: flags are 0 even for a sub-leaf; the guest's address width is shown as configurable although the module's is not. */
function configurable({ leaf, values }: CpuidConfig): CpuidEntry {
  const index = Number(leaf >> 32n);
  const eax = Number(values[0] & 0xffff_ffffn);
  const entry = {
    function: Number(leaf & 0xffff_ffffn),
    index: index === NO_SUBLEAF ? 0 : index,
    flags: 0,
    eax,
    ebx: Number(values[0] >> 32n),
    ecx: Number(values[1] & 0xffff_ffffn),
    edx: Number(values[1] >> 32n),
  };
  return withoutUnsupportedTdBits(
    entry.function === PHYSICAL_BITS_LEAF ? { ...entry, eax: withGuestPhysicalBits(eax, 0xff) } : entry,
  );
}

function hostTscKhz(cpu: Cpu): number {
  const [denominator, numerator, crystalHz] = cpu.lp.cpuid(TSC_LEAF);
  return denominator && numerator && crystalHz ? Math.floor((crystalHz * numerator) / denominator / 1000) : DEFAULT_TSC_KHZ;
}

/** Before the kernel gives the machine up: CPUs flush early, so that the NMI stop later finds little to do. */
function* disableVirtualization(cpu: Cpu): Software {
  if (cpu.kernel.knobs['kexec.flushWhen'] !== 'early') return;
  yield* on_each_cpu(cpu, function* (there) {
    if (there.cacheIncoherent) wbinvd(there);
  });
}
