import { ENOSPC } from '../../spec/errno.ts';
import type { Cpu } from '../cpu.ts';
import type { TdxSysInfo } from './sysinfo.ts';

/** What the module said, for KVM; null until the module is initialised. */
export const tdx_get_sysinfo = (cpu: Cpu): TdxSysInfo | null => (cpu.kernel.tdx.initialized ? cpu.kernel.tdx.sysinfo : null);

/** A KeyID for a TD, or -ENOSPC. */
export const tdx_guest_keyid_alloc = (cpu: Cpu): number => cpu.kernel.tdx.guestKeyIds?.alloc() ?? -ENOSPC;

export const tdx_guest_keyid_free = (cpu: Cpu, keyId: number): void => cpu.kernel.tdx.guestKeyIds?.free(keyId);
