import { GPR, HardwareException, MachineCheck, type Software } from '../../platform/index.ts';
import { EACCES, EFAULT, EIO, ENODEV, EOPNOTSUPP } from '../../spec/errno.ts';
import { TDX_RND_NO_ENTROPY, TDX_SEAMCALL_GP, TDX_SEAMCALL_UD, TDX_SEAMCALL_VMFAILINVALID } from '../../spec/status.ts';
import type { Cpu } from '../cpu.ts';

/** struct tdx_module_args: registers in and, where the caller wants them, out. */
export interface TdxModuleArgs {
  rcx?: bigint;
  rdx?: bigint;
  r8?: bigint;
  r9?: bigint;
  r10?: bigint;
  r11?: bigint;
  r12?: bigint;
  r13?: bigint;
  r14?: bigint;
  r15?: bigint;
  rbx?: bigint;
  rdi?: bigint;
  rsi?: bigint;
}

/** Registers of every SEAMCALL. Property by property: this is on the path of every page. */
const putOperands = (gpr: BigUint64Array, args: TdxModuleArgs): void => {
  gpr[GPR.RCX] = args.rcx ?? 0n;
  gpr[GPR.RDX] = args.rdx ?? 0n;
  gpr[GPR.R8] = args.r8 ?? 0n;
  gpr[GPR.R9] = args.r9 ?? 0n;
  gpr[GPR.R10] = args.r10 ?? 0n;
  gpr[GPR.R11] = args.r11 ?? 0n;
};

const takeResults = (gpr: BigUint64Array, args: TdxModuleArgs): void => {
  args.rcx = gpr[GPR.RCX]!;
  args.rdx = gpr[GPR.RDX]!;
  args.r8 = gpr[GPR.R8]!;
  args.r9 = gpr[GPR.R9]!;
  args.r10 = gpr[GPR.R10]!;
  args.r11 = gpr[GPR.R11]!;
};

/** The registers that only TDH.VP.ENTER moves. */
const putSaved = (gpr: BigUint64Array, args: TdxModuleArgs): void => {
  gpr[GPR.RBX] = args.rbx ?? 0n;
  gpr[GPR.RSI] = args.rsi ?? 0n;
  gpr[GPR.RDI] = args.rdi ?? 0n;
  gpr[GPR.R12] = args.r12 ?? 0n;
  gpr[GPR.R13] = args.r13 ?? 0n;
  gpr[GPR.R14] = args.r14 ?? 0n;
  gpr[GPR.R15] = args.r15 ?? 0n;
};

const takeSaved = (gpr: BigUint64Array, args: TdxModuleArgs): void => {
  args.rbx = gpr[GPR.RBX]!;
  args.rsi = gpr[GPR.RSI]!;
  args.rdi = gpr[GPR.RDI]!;
  args.r12 = gpr[GPR.R12]!;
  args.r13 = gpr[GPR.R13]!;
  args.r14 = gpr[GPR.R14]!;
  args.r15 = gpr[GPR.R15]!;
};

/** The exception table entries of SEAMCALL: what a faulting SEAMCALL returns in RAX. */
const EXCEPTION_TABLE: Readonly<Record<string, bigint>> = { '#GP': TDX_SEAMCALL_GP, '#UD': TDX_SEAMCALL_UD };

const ERRNO: ReadonlyMap<bigint, number> = new Map([
  [0n, 0],
  [TDX_SEAMCALL_VMFAILINVALID, -ENODEV],
  [TDX_SEAMCALL_GP, -EOPNOTSUPP],
  [TDX_SEAMCALL_UD, -EACCES],
]);

/** One SEAMCALL; registers out go back into `args`. Exceptions and VMfailInvalid become software status codes. */
export function* __seamcall(cpu: Cpu, leaf: bigint, args: TdxModuleArgs): Software<bigint> {
  const { lp } = cpu;
  lp.gpr[GPR.RAX] = leaf;
  putOperands(lp.gpr, args);
  try {
    yield* lp.seamcall();
  } catch (exception) {
    if (cpu.kernel.knobs['kernel.seamcallExceptions'] === 'oops') throw exception;
    if (!(exception instanceof HardwareException) || exception instanceof MachineCheck) throw exception;
    const status = EXCEPTION_TABLE[exception.vector];
    if (status === undefined) throw exception;
    return status;
  }
  takeResults(lp.gpr, args);
  return lp.carry ? TDX_SEAMCALL_VMFAILINVALID : lp.gpr[GPR.RAX]!;
}

/** __seamcall_saved_ret(): moves all general-purpose registers but RAX, RSP and RBP, both ways. */
export function* __seamcall_saved_ret(cpu: Cpu, leaf: bigint, args: TdxModuleArgs): Software<bigint> {
  const { gpr } = cpu.lp;
  putSaved(gpr, args);
  const status = yield* __seamcall(cpu, leaf, args);
  takeSaved(gpr, args);
  return status;
}

/** A SEAMCALL that marks this CPU's cache first (an NMI may stop the CPU inside), and tries again while there is no entropy. */
export function* seamcall(cpu: Cpu, leaf: bigint, args: TdxModuleArgs = {}): Software<bigint> {
  const { knobs } = cpu.kernel;
  const before = knobs['kernel.incoherentFlag'] === 'before';
  const attempts = Math.max(1, knobs['kernel.entropyRetry']);
  let status = 0n;
  let out = args;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (before) cpu.cacheIncoherent = true;
    out = { ...args };
    status = yield* __seamcall(cpu, leaf, out);
    if (!before) cpu.cacheIncoherent = true;
    if (status !== TDX_RND_NO_ENTROPY) break;
  }
  Object.assign(args, out);
  return status;
}

/** The errno of a status, without a message. Informational codes are errors too: whatever is not 0 is -EIO. */
export const seamcallErrno = (status: bigint): number => ERRNO.get(status) ?? -EIO;

/** seamcall_prerr(): the errno, and a message when it is not 0. */
export function* seamcall_prerr(cpu: Cpu, leaf: bigint, args: TdxModuleArgs = {}): Software<number> {
  return report(cpu, leaf, yield* seamcall(cpu, leaf, args));
}

/** seamcall_prerr_ret(): as seamcall_prerr(), the message also shows the output registers. */
export function* seamcall_prerr_ret(cpu: Cpu, leaf: bigint, args: TdxModuleArgs): Software<number> {
  const status = yield* seamcall(cpu, leaf, args);
  const errno = report(cpu, leaf, status);
  if (errno === -EIO) {
    const out = {
      rcx: hex(args.rcx),
      rdx: hex(args.rdx),
      r8: hex(args.r8),
      r9: hex(args.r9),
      r10: hex(args.r10),
      r11: hex(args.r11),
    };
    cpu.printk(
      'err',
      'virt/tdx',
      Object.entries(out)
        .map(([name, value]) => `${name.toUpperCase()} ${value}`)
        .join(' '),
      out,
    );
  }
  return errno;
}

const report = (cpu: Cpu, leaf: bigint, status: bigint): number => {
  if (status === 0n) return 0;
  if (cpu.kernel.knobs['kernel.seamcallErrno'] === 'host-v7') return -EFAULT;
  const errno = seamcallErrno(status);
  if (errno === -EIO) {
    cpu.printk('err', 'virt/tdx', `SEAMCALL (${hex(leaf)}) failed: ${hex(status)}`, { leaf: hex(leaf), status: hex(status) });
  }
  return errno;
};

const hex = (value = 0n): string => `0x${value.toString(16)}`;
