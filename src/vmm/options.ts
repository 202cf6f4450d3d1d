import type { MmioDevice, PortDevice } from './devices/index.ts';

/** What happened to the TD, told as it happens. */
export interface VmmObserver {
  /** A step of the machine's creation or end begins. */
  step?(name: string): void;
  /** KVM_RUN of a vCPU returned: the exit reason's name and what it carried. */
  exit?(vcpu: number, reason: string, detail: Readonly<Record<string, string | number>>): void;
}

export interface VmmOptions {
  /** A TDVF image. */
  readonly firmware: Uint8Array;
  /** Bytes of RAM, a multiple of 2 MiB. Default 512 MiB. */
  readonly memory?: number;
  /** Default 2. */
  readonly vcpus?: number;
  /** Guest-physical address bits: 48 (default) or 52. */
  readonly gpaWidth?: 48 | 52;
  /** ATTRIBUTES; default SEPT_VE_DISABLE. */
  readonly attributes?: bigint;
  /** 48 bytes each; default zeros. */
  readonly mrconfigid?: Uint8Array;
  readonly mrowner?: Uint8Array;
  readonly mrownerconfig?: Uint8Array;
  readonly ports?: readonly PortDevice[];
  readonly mmio?: readonly MmioDevice[];
  /** Asked after each exit; true stops the TD. */
  readonly isOff?: () => boolean;
  /** CPU of each vCPU's thread; default 1, 2, … modulo the number of CPUs. */
  readonly cpus?: readonly number[];
  readonly observer?: VmmObserver;
}

/** Why a TD stopped. */
export type StopReason =
  | { readonly kind: 'power-off' }
  | { readonly kind: 'fatal-error'; readonly data: readonly bigint[] }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'internal-error'; readonly status: bigint }
  | { readonly kind: 'unexpected-exit'; readonly reason: string }
  /** A system call failed: `errno` is negative. */
  | { readonly kind: 'call-failed'; readonly call: string; readonly errno: number };

export const DEFAULT_MEMORY = 512 * 2 ** 20;
export const DEFAULT_VCPUS = 2;
