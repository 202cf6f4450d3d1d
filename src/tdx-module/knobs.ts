import { assumed, type KnobValues, oneOf, onOff } from '../spec/knob.ts';

/** What is argued about in the module. */
export const moduleKnobs = {
  'module.profile': oneOf(
    ['1.5-kvm', '1.5.01'],
    '1.5.01 is the published source; 1.5-kvm adds what upstream KVM requires (MAX_VCPUS_PER_TD, TOPOLOGY_ENUM, VP.INIT version 1), each assumed.',
    ['S1-13'],
  ),
  'module.requireAllPackages': oneOf(
    ['true', 'false'],
    'READY needs the global key on every package that MCHECK counted; false (what-if): one is enough.',
    ['S0-28', 'S0-29'],
  ),
  'module.requireAllLpInit': oneOf(
    ['true', 'false'],
    'TDH.SYS.CONFIG needs TDH.SYS.LP.INIT on every LP that MCHECK counted; false (what-if): one is enough.',
    ['S0-52'],
  ),
  'module.keyConfig': oneOf(
    ['all-packages', 'only-packages-with-pamt'],
    'Which packages need the global key for READY; with the second a package without PAMT is skipped (what-if).',
    ['S0-15'],
  ),
  'module.entropyCode': oneOf(
    ['KEY_GENERATION_FAILED', 'RND_NO_ENTROPY'],
    'What KEY.CONFIG answers when PCONFIG finds no entropy.',
    ['S0-25'],
  ),
  'module.features0': assumed(onOff('on', 'TDX_FEATURES0 has NO_RBP_MOD, which Linux insists on.', ['S1-12'])),
} as const;

export type ModuleKnobs = KnobValues<typeof moduleKnobs>;
