import type { CpuidRegisters } from '../../spec/cpuid.ts';
import { u32 } from '../../spec/field.ts';
import { LIMIT, TD_PARAMS } from '../../spec/layouts.ts';
import type { LeafContext } from '../context.ts';
import { sharedAddress } from '../operands.ts';
import { ensure, INVALID } from '../status.ts';

/** TD_PARAMS as the host wrote them: one copy, which the host cannot change under the checks. */
export class TdParams {
  readonly bytes: Uint8Array;
  readonly attributes: bigint;
  readonly xfam: bigint;
  readonly maxVcpus: number;
  readonly numL2Vms: number;
  readonly eptpControls: bigint;
  readonly configFlags: bigint;
  /** Units of 25 MHz. */
  readonly tscFrequency: number;
  readonly msrConfigCtls: number;
  readonly archCapabilities: bigint;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.attributes = TD_PARAMS.ATTRIBUTES.get(bytes);
    this.xfam = TD_PARAMS.XFAM.get(bytes);
    this.maxVcpus = TD_PARAMS.MAX_VCPUS.get(bytes);
    this.numL2Vms = TD_PARAMS.NUM_L2_VMS.get(bytes);
    this.eptpControls = TD_PARAMS.EPTP_CONTROLS.get(bytes);
    this.configFlags = TD_PARAMS.CONFIG_FLAGS.get(bytes);
    this.tscFrequency = TD_PARAMS.TSC_FREQUENCY.get(bytes);
    this.msrConfigCtls = TD_PARAMS.MSR_CONFIG_CTLS.get(bytes);
    this.archCapabilities = TD_PARAMS.IA32_ARCH_CAPABILITIES_CONFIG.get(bytes);
  }

  /** CPUID_CONFIG input `index`, in the order of TDSYSINFO_STRUCT. */
  cpuidConfig(index: number): CpuidRegisters {
    const at = TD_PARAMS.CPUID_CONFIG_VALUES.at(index);
    return [0, 4, 8, 12].map((offset) => u32(at + offset).get(this.bytes)) as unknown as CpuidRegisters;
  }

  isZero(offset: number, end: number): boolean {
    return this.bytes.subarray(offset, end).every((byte) => byte === 0);
  }
}

/** The TD_PARAMS at a shared, 1024-byte aligned address. */
export const readTdParams = (ctx: LeafContext): TdParams => {
  const { pa, keyId } = sharedAddress(ctx, 'RDX', ctx.rdx, LIMIT.TD_PARAMS_ALIGNMENT);
  return new TdParams(ctx.lp.loadBytes(pa, TD_PARAMS.SIZE, keyId));
};

/** TDX_OPERAND_INVALID | RDX unless the bytes are zero. */
export const ensureReserved = (params: TdParams, offset: number, end: number): void =>
  ensure(params.isZero(offset, end), INVALID.RDX);
