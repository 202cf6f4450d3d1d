import type { Software } from '../../platform/index.ts';
import { EINVAL, ENOMEM, errnoName } from '../../spec/errno.ts';
import { FEATURES0 } from '../../spec/features.ts';
import { TDH } from '../../spec/leaves.ts';
import type { Cpu } from '../cpu.ts';
import { PAGE_SIZE } from '../mm/memblock.ts';
import { config_global_keyid } from './global-keyid.ts';
import { build_tdx_memlist } from './memlist.ts';
import { allocPamt, freePamt, tdmrs_free_pamt_all, tdmrs_reset_pamt_all } from './pamt.ts';
import { seamcall_prerr, seamcall_prerr_ret, type TdxModuleArgs } from './seamcall.ts';
import { get_tdx_sys_info, type TdxSysInfo } from './sysinfo.ts';
import { construct_tdmrs, pamtRanges, type Tdmr } from './tdmr.ts';
import { tdmrInfoStride, writeTdmrInfo } from './tdmr-info.ts';

const MEMLIST = 'tdx_memlist';

/** One initialisation: what the steps hand on to each other, and how to give back what they acquired, newest last. */
interface Init {
  readonly cpu: Cpu;
  readonly unwind: (() => Software | undefined)[];
  /** Memory of the TDMR_INFO structures. */
  array: number;
  stride: number;
}

type InitStep = (init: Init) => number | Software<number>;

/** The order is observable: with two things wrong, the earlier step gives the errno. */
const STEPS: readonly InitStep[] = [
  readMetadata,
  checkFeatures,
  buildMemlist,
  allocateTdmrArray,
  constructTdmrs,
  configModule,
  configGlobalKeyId,
  initTdmrs,
];

/** init_tdx_module(): eight steps; on an error everything that was acquired goes back in reverse order. */
export function* init_tdx_module(cpu: Cpu): Software<number> {
  const init: Init = { cpu, unwind: [], array: 0, stride: 0 };
  for (const step of STEPS) {
    const result = step(init);
    const errno = typeof result === 'number' ? result : yield* result;
    if (errno === 0) continue;
    yield* giveBack(init);
    return errno;
  }
  const kilobytes = pamtRanges(cpu.kernel.tdx.tdmrs).reduce((sum, { size }) => sum + size / 1024, 0);
  cpu.printk('info', 'virt/tdx', `${kilobytes} KB allocated for PAMT`, { kilobytes });
  return 0;
}

function* giveBack({ unwind }: Init): Software {
  for (const undo of unwind.reverse()) {
    const undoing = undo();
    if (undoing) yield* undoing;
  }
}

function* readMetadata({ cpu }: Init): Software<number> {
  const sysinfo = yield* cpu.lp.phase('module metadata (TDH.SYS.RD)', get_tdx_sys_info(cpu), describeMetadata);
  if (typeof sysinfo === 'number') return sysinfo;
  cpu.kernel.tdx.sysinfo = sysinfo;
  return 0;
}

const describeMetadata = (sysinfo: TdxSysInfo | number): string =>
  typeof sysinfo === 'number'
    ? errnoName(sysinfo)
    : `at most ${sysinfo.tdmr.max_tdmrs} TDMRs, ${sysinfo.tdmr.max_reserved_per_tdmr} reserved areas each`;

const describeTdmrs = (errno: number, { cpu }: Init): string => {
  const { tdmrs } = cpu.kernel.tdx;
  const reserved = tdmrs.reduce((sum, tdmr) => sum + tdmr.reserved.length, 0);
  const megabytes = pamtRanges(tdmrs).reduce((sum, { size }) => sum + size, 0) / 2 ** 20;
  return errno < 0 ? errnoName(errno) : `${tdmrs.length} TDMRs, ${megabytes.toFixed(1)} MiB of PAMT, ${reserved} reserved areas`;
};

const sysinfoOf = ({ cpu }: Init): TdxSysInfo => cpu.kernel.tdx.sysinfo!;

function checkFeatures(init: Init): number {
  if ((sysinfoOf(init).features.tdx_features0 & FEATURES0.NO_RBP_MOD) !== 0n) return 0;
  init.cpu.printk('err', 'virt/tdx', 'frame pointer (RBP) clobber bug present, upgrade TDX module');
  return -EINVAL;
}

function buildMemlist({ cpu, unwind }: Init): number {
  const { tdx, slab, memblock } = cpu.kernel;
  if (!slab.kzalloc(MEMLIST)) return -ENOMEM;
  tdx.memlist = build_tdx_memlist(memblock);
  unwind.push(() => {
    tdx.memlist = [];
    slab.kfree(MEMLIST);
    return undefined;
  });
  return 0;
}

function allocateTdmrArray(init: Init): number {
  const { pages } = init.cpu.kernel;
  const { tdmr } = sysinfoOf(init);
  init.stride = tdmrInfoStride(tdmr);
  const nr = Math.ceil((init.stride * tdmr.max_tdmrs) / PAGE_SIZE);
  const array = pages.alloc_contig_pages(init.cpu, nr, init.cpu.package, 'TDMR array');
  if (array === null) return -ENOMEM;
  init.array = array;
  init.unwind.push(() => {
    pages.free_contig_range(array, nr);
    return undefined;
  });
  return 0;
}

function constructTdmrs(init: Init): Software<number> {
  return init.cpu.lp.phase('TDMRs, PAMTs and reserved areas', allocateTdmrs(init), (errno) => describeTdmrs(errno, init));
}

function* allocateTdmrs(init: Init): Software<number> {
  const { cpu } = init;
  const { tdx } = cpu.kernel;
  const { errno, tdmrs } = construct_tdmrs(tdx.memlist, sysinfoOf(init).tdmr, {
    allocPamt: (size, nid) => allocPamt(cpu, size, nid),
    freePamt: (base, size) => freePamt(cpu, base, size),
    warn: (text, facts) => cpu.printk('warn', 'virt/tdx', text, facts),
  });
  if (errno !== 0) return errno;
  tdx.tdmrs = tdmrs;
  init.unwind.push(() => {
    tdmrs_free_pamt_all(cpu, tdmrs);
    tdx.tdmrs = [];
    return undefined;
  });
  return 0;
}

/** With one label for all (host-v7) PAMTs are flushed even if the module has seen none of them. */
function* configModule(init: Init): Software<number> {
  if (init.cpu.kernel.knobs['kernel.errorLabels'] === 'shared') init.unwind.push(() => resetPamts(init));
  return yield* init.cpu.lp.phase('TDMRs and the global KeyID (TDH.SYS.CONFIG)', config_tdx_module(init), errnoName);
}

function* configGlobalKeyId(init: Init): Software<number> {
  const { tdx, knobs } = init.cpu.kernel;
  if (knobs['kernel.errorLabels'] === 'split') init.unwind.push(() => resetPamts(init));
  const errno = yield* config_global_keyid(init.cpu, tdx.tdmrs);
  return errno === 0 && knobs['kernel.initSteps'] === 'until-key-config' ? -EINVAL : errno;
}

function initTdmrs({ cpu }: Init): Software<number> {
  return cpu.lp.phase('PAMTs, 4 MiB of memory a call (TDH.SYS.TDMR.INIT)', init_tdmrs(cpu, cpu.kernel.tdx.tdmrs), errnoName);
}

function* resetPamts({ cpu }: Init): Software {
  yield* tdmrs_reset_pamt_all(cpu, cpu.kernel.tdx.tdmrs);
  cpu.kernel.tdx.mayHavePrivateMemory = false;
}

/** TDH.SYS.CONFIG: the structures and an array of pointers to them go through memory. The array is freed right away. */
function* config_tdx_module({ cpu, array, stride }: Init): Software<number> {
  const { pages, tdx } = cpu.kernel;
  // A power of two from 512 on, aligned to itself: 64 pointers are one such unit, and a page holds it.
  const pointers = pages.get_zeroed_page(cpu, 'TDMR pointer array');
  if (pointers === null) return -ENOMEM;
  for (const [i, tdmr] of tdx.tdmrs.entries()) {
    writeTdmrInfo(cpu, array + i * stride, tdmr);
    cpu.lp.store64(pointers + i * 8, BigInt(array + i * stride));
  }
  const operands = { rcx: BigInt(pointers), rdx: BigInt(tdx.tdmrs.length), r8: BigInt(tdx.globalKeyId) };
  const errno = yield* seamcall_prerr(cpu, TDH.SYS_CONFIG, operands);
  pages.__free_page(pointers);
  return errno;
}

/** TDH.SYS.TDMR.INIT until the next address to initialise is the end of the TDMR, one TDMR after the other. */
function* init_tdmrs(cpu: Cpu, tdmrs: readonly Tdmr[]): Software<number> {
  for (const tdmr of tdmrs) {
    let next = tdmr.base;
    while (next < tdmr.base + tdmr.size) {
      const args: TdxModuleArgs = { rcx: BigInt(tdmr.base) };
      const errno = yield* seamcall_prerr_ret(cpu, TDH.SYS_TDMR_INIT, args);
      if (errno !== 0) return errno;
      next = Number(args.rdx);
      yield 'pause';
    }
  }
  return 0;
}
