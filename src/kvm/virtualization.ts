import {
  type Cpu,
  type CpuhpState,
  cpuhp_remove_state,
  cpuhp_setup_state,
  tdx_cpu_enable,
  tdx_enable,
  tdx_may_offline,
  x86_virt_get_ref,
  x86_virt_put_ref,
} from '../linux/index.ts';
import type { Software } from '../platform/index.ts';
import { errnoName } from '../spec/errno.ts';

/** KVM's own VMXON on each CPU, while it owns VMX operation (up to 7.0). */
const kvmCpuhp: CpuhpState = {
  name: 'kvm/cpu:online',
  startup: x86_virt_get_ref,
  teardown: (cpu) => {
    x86_virt_put_ref(cpu);
    return 0;
  },
};

/** The module on each CPU that comes online; a package's last CPU stays while a TD has a KeyID. */
const tdxCpuhp: CpuhpState = { name: 'kvm/cpu/tdx:online', startup: tdx_cpu_enable, teardown: tdx_may_offline };

/** Up to 7.0 KVM is the module's first user: virtualization on all CPUs, TDX on each of them, then the module. 0 or an errno, undone. */
export function* startTdx(cpu: Cpu): Software<number> {
  return yield* cpu.lp.phase('KVM starts TDX', withStates(cpu, [kvmCpuhp, tdxCpuhp], tdx_enable), errnoName);
}

/** Sets the states up one after another, then runs `last`; on an error those that were set up are removed in reverse. */
function* withStates(cpu: Cpu, states: readonly CpuhpState[], last: (cpu: Cpu) => Software<number>): Software<number> {
  const [state, ...rest] = states;
  if (!state) return yield* last(cpu);
  const online = yield* cpuhp_setup_state(cpu, state);
  if (online !== 0) return online;
  const errno = yield* withStates(cpu, rest, last);
  if (errno !== 0) yield* cpuhp_remove_state(cpu, state);
  return errno;
}
