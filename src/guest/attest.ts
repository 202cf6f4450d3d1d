import { GPR, type GuestCpu, type GuestSoftware } from '../platform/guest-cpu.ts';
import { EBUSY, EIO, ENXIO } from '../spec/errno.ts';
import { TDREPORT_STRUCT } from '../spec/layouts.ts';
import { TDG } from '../spec/leaves.ts';
import { statusCode, TDX_OPERAND_BUSY, TDX_OPERAND_INVALID } from '../spec/status.ts';
import { tdcall } from './tdcall.ts';

const errnoOf = (status: bigint): number =>
  status === 0n
    ? 0
    : statusCode(status) === TDX_OPERAND_INVALID
      ? -ENXIO
      : statusCode(status) === TDX_OPERAND_BUSY
        ? -EBUSY
        : -EIO;

/** TDG.MR.RTMR.EXTEND with 48 bytes at a 64-byte aligned private page. Returns 0 or -errno as the tsm-mr interface does. */
export function* extendRtmr(cpu: GuestCpu, buffer: bigint, index: number, digest: Uint8Array): GuestSoftware<number> {
  yield* cpu.storeBytes(buffer, digest);
  return errnoOf(yield* tdcall(cpu, TDG.MR_RTMR_EXTEND, { RCX: buffer, RDX: BigInt(index) }));
}

/** TDX_CMD_GET_REPORT0: TDREPORT for 64 bytes of report data, or a negative errno. `buffer` is a private page of its own. */
export function* getReport(cpu: GuestCpu, buffer: bigint, reportData: Uint8Array): GuestSoftware<Uint8Array | number> {
  const dataGpa = buffer + BigInt(TDREPORT_STRUCT.SIZE);
  yield* cpu.storeBytes(dataGpa, reportData);
  const errno = errnoOf(yield* tdcall(cpu, TDG.MR_REPORT, { RCX: buffer, RDX: dataGpa, R8: 0n }));
  if (errno !== 0) return errno;
  return yield* cpu.loadBytes(buffer, TDREPORT_STRUCT.SIZE);
}

/** Facts of TDG.VP.INFO. */
export interface VpInfo {
  readonly gpaWidth: number;
  readonly attributes: bigint;
  readonly vcpus: number;
  readonly maxVcpus: number;
  readonly vcpuIndex: number;
}

export function* vpInfo(cpu: GuestCpu): GuestSoftware<VpInfo | bigint> {
  const status = yield* tdcall(cpu, TDG.VP_INFO);
  if (status !== 0n) return status;
  const { gpr } = cpu;
  return {
    gpaWidth: Number(gpr[GPR.RCX]! & 0x3fn),
    attributes: gpr[GPR.RDX]!,
    vcpus: Number(gpr[GPR.R8]! & 0xffff_ffffn),
    maxVcpus: Number(gpr[GPR.R8]! >> 32n),
    vcpuIndex: Number(gpr[GPR.R9]! & 0xffff_ffffn),
  };
}
