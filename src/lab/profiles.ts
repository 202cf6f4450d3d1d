import type { KnobVector } from './knobs.ts';

/** Parts of the main job that a profile may not have. */
export type Phase = 'kvm' | 'kexec';

/** A version of the software, as a small delta from the reference profile (DESIGN.md §6). */
export interface Profile {
  readonly name: string;
  readonly about: string;
  readonly knobs: KnobVector;
  readonly lacks: readonly Phase[];
}

/** What mainline had before 6.18: PAMTs always reset, no kexec next to TDX. */
const before618: KnobVector = {
  'kernel.tdxInit': 'on-demand',
  'kernel.vmxonOwner': 'kvm',
  'kernel.pamtReset': 'always',
  'kernel.pageReset': 'always',
  'kexec.policy': 'exclusive',
};

const profile = (name: string, about: string, knobs: KnobVector = {}, lacks: readonly Phase[] = []): Profile => ({
  name,
  about,
  knobs,
  lacks,
});

export const REFERENCE_PROFILE = '7.1';

export const PROFILES: readonly Profile[] = [
  profile('7.1', 'Linux 7.1: TDX initialised at boot, VMXON owned by arch code. The reference.'),
  profile('6.18', 'Linux 6.18: kexec allowed without the erratum; KVM starts TDX.', {
    'kernel.tdxInit': 'on-demand',
    'kernel.vmxonOwner': 'kvm',
  }),
  profile('6.16', 'Linux 6.16: first mainline KVM TDX; no kexec.', before618, ['kexec']),
  profile('6.8', 'Linux 6.8: module initialisation only; no KVM TDX, no kexec.', before618, ['kvm', 'kexec']),
  profile(
    'host-v12',
    'Host series v12 (2023): PAMTs are reset before kexec on erratum parts; no KVM TDX.',
    { ...before618, 'kexec.policy': 'v12', 'kexec.reset': 'pamt' },
    ['kvm'],
  ),
  profile(
    'host-v7',
    'Host series v7 (November 2022): flush by the caller, no entropy retry, -EFAULT, PAMTs freed without reset.',
    {
      ...before618,
      'kernel.wbinvdPlacement': 'caller',
      'kernel.entropyRetry': 0,
      'kernel.seamcallErrno': 'host-v7',
      'kernel.pamtReset': 'never',
      'kernel.errorLabels': 'shared',
      'kernel.onInitError': 'shutdown',
    },
    ['kvm', 'kexec'],
  ),
  profile(
    'host-v5',
    'Host series v5 (2022): SEAMCALL exceptions are not handled, no entropy retry.',
    {
      ...before618,
      'kernel.seamcallExceptions': 'oops',
      'kernel.entropyRetry': 0,
      'kernel.pamtReset': 'never',
      'hotplug.keyOn': 'bios',
    },
    ['kvm', 'kexec'],
  ),
  profile('guest-v5', 'Guest series v5 (March 2022): an undecodable MMIO instruction is a BUG.', {
    'guest.mmioDecodeFail': 'bug',
  }),
];

export const findProfile = (name: string): Profile | undefined => PROFILES.find((candidate) => candidate.name === name);
