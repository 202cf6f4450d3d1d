import { assumed, integer, type KnobValues, oneOf, onOff } from '../spec/knob.ts';

/** What the hardware and the BIOS leave open. */
export const platformKnobs = {
  'cpu.model': oneOf(['GNR', 'SPR', 'EMR'], 'Server part; decides the partial-write erratum and CPUID(1).EAX.', ['S4-06']),
  'cpu.erratum.pwMce': oneOf(
    ['by-model', 'on', 'off'],
    'Partial writes from outside a TD poison private lines (X86_BUG_TDX_PW_MCE).',
    ['S4-01', 'S4-03'],
  ),
  'hw.tdBit': onOff('on', 'Each line has a TD-owner bit that reads check.', ['S0-05', 'S0-08']),
  'hw.integrity': oneOf(['Ci', 'Li', 'none'], 'Ci: MAC and TD bit; Li: TD bit alone; none: no MAC (what-if).', ['S0-09']),
  'hw.sharedIntegrity': oneOf(['off', 'on'], 'Shared MKTME KeyIDs other than 0 have a MAC (Ci).', ['S0-07', 'S0-39']),
  'hw.macBits': integer(28, 1, 28, 'Width of the MAC.', ['S0-10']),
  'hw.checkOrder': oneOf(['td-first', 'mac-first'], 'Which of TD bit and MAC a read looks at first.', ['S0-06']),
  'hw.unprogrammedKey': assumed(oneOf(['tme', 'fault'], 'What a KeyID that was never programmed on a package does.', ['S0-15'])),
  'hw.aesBits': assumed(oneOf(['128', '256'], 'AES-XTS key length.')),
  'hw.cache.sets': assumed(integer(4096, 0, 65536, 'Sets of each package cache (a power of two; 0: unbounded).', ['S0-11'])),
  'hw.cache.ways': assumed(integer(16, 1, 16, 'Ways of each package cache (a power of two).', ['S0-11'])),
  'hw.cache.policy': assumed(oneOf(['random', 'lru'], 'Which line of a full set leaves.', ['S0-11'])),
  'hw.crypto': oneOf(['lazy', 'eager'], 'When ciphertext and MAC are computed; the answers are the same.'),
  'hw.provenance': onOff('on', 'Lines remember the event that wrote them.'),
  'hw.schedule': oneOf(['plain', 'seeded'], 'Who goes on when several LPs could: the earliest clock, or a seeded choice.'),
  'bios.tdx': onOff('on', 'BIOS enables TDX: SEAMRR and private KeyIDs.', ['S1-08']),
  'bios.seamrr': onOff('on', 'SEAMRR is configured and locked.', ['S1-01']),
  'bios.tdxKeyIds': integer(48, 0, 48, 'Private KeyIDs in IA32_MKTME_KEYID_PARTITIONING.', ['S1-38']),
  'bios.fastWarmReset': oneOf(['disabled', 'enabled'], 'A warm reset leaves DRAM as it is.', ['S4-10', 'S4-14']),
  'bios.cmr': oneOf(['valid', 'absent-memory'], 'The CMR list that BIOS reports to MCHECK.', ['S1-15']),
  'bios.seamModule': oneOf(['loaded', 'absent'], 'P-SEAMLDR has installed the TDX module.', ['S1-05']),
} as const;

export type PlatformKnobs = KnobValues<typeof platformKnobs>;
