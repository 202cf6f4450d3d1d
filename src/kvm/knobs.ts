import { assumed, type KnobValues, oneOf, onOff } from '../spec/knob.ts';

/** What KVM leaves open, and the steps of removal and teardown that a what-if may leave out. */
export const kvmKnobs = {
  'kvm.tdx': onOff('on', 'Module parameter kvm_intel.tdx.', ['S2-61']),
  'kvm.ept5': assumed(onOff('off', 'The CPU has 5-level EPT, so GPAW 52 is possible.', ['S2-26'])),
  'kvm.zapSkip': oneOf(['none', 'block', 'track', 'wbinvd'], 'The step that is left out when a private page is removed.', [
    'S2-77',
  ]),
  'kvm.teardownSkip': oneOf(
    ['none', 'vp-flush', 'cache-wb-one-package'],
    'The step that is left out when a TD gives up its KeyID.',
    ['S2-80'],
  ),
} as const;

export type KvmKnobs = KnobValues<typeof kvmKnobs>;
