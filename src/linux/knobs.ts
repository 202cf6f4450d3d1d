import { assumed, integer, type KnobValues, oneOf, onOff } from '../spec/knob.ts';

/** Rules of the host kernel that somebody argued about. Defaults: Linux 7.1. */
export const kernelKnobs = {
  'kernel.clflushBeforeAdd': onOff('on', 'CLFLUSH a page through KeyID 0 before the module gets it.', ['S0-30']),
  'kernel.wbinvdBeforeKeyConfig': onOff('on', 'Flush KeyID-0 lines of the PAMTs around the configuration of the global KeyID.', [
    'S0-30',
    'S0-31',
  ]),
  'kernel.wbinvdScope': oneOf(['all', 'local'], 'Which CPUs execute that WBINVD.', ['S0-33']),
  'kernel.wbinvdWhen': oneOf(
    ['before', 'after'],
    'Before the key is configured (the specification), or after it and before TDMR.INIT.',
    ['S0-34'],
  ),
  'kernel.wbinvdPlacement': oneOf(
    ['key-config', 'caller'],
    'Inside the key configuration, after its mask; or in the caller (host-v7).',
    ['S0-37'],
  ),
  'kernel.pamtFlush': oneOf(
    ['wbinvd', 'clflush', 'none'],
    'How KeyID-0 lines leave the caches: everything, or the PAMT ranges alone.',
    ['S0-35'],
  ),
  'kernel.keyConfig': oneOf(['serial', 'parallel'], 'TDH.SYS.KEY.CONFIG package by package, or on all at once.', ['S0-18']),
  'kernel.keyConfig.leakMask': onOff('off', 'Return without freeing the package mask, as an early posting did.', ['S0-19']),
  'kernel.entropyRetry': integer(10, 0, 10, 'Attempts in all while a SEAMCALL says TDX_RND_NO_ENTROPY; 0: no retry.', [
    'S0-24',
    'S0-25',
  ]),
  'kernel.seamcallErrno': oneOf(['upstream', 'host-v7'], 'Errno of a failed SEAMCALL: by status, or always -EFAULT.', [
    'S0-22',
    'S1-04',
  ]),
  'kernel.seamcallExceptions': oneOf(
    ['extable', 'oops'],
    '#GP and #UD of SEAMCALL become software codes, or an oops (host-v5).',
    ['S1-03', 'S1-04'],
  ),
  'kernel.pamtReset': oneOf(['on-erratum', 'always', 'never'], 'MOVDIR64B over the PAMTs when module initialisation fails.', [
    'S0-44',
    'S0-45',
  ]),
  'kernel.pageReset': oneOf(['on-erratum', 'always', 'never'], 'MOVDIR64B over a private page that comes back.', ['S4-07']),
  'kernel.flushOnInitError': onOff('on', 'WBINVD on all CPUs before PAMTs go back after a failure.', ['S0-43']),
  'kernel.errorLabels': oneOf(
    ['split', 'shared'],
    'Flush only when the module may have written a PAMT, or on every failure from SYS.CONFIG on (host-v7).',
    ['S0-47'],
  ),
  'kernel.onInitError': oneOf(['leave', 'shutdown'], 'Leave the module, or TDH.SYS.LP.SHUTDOWN on all CPUs (host-v7).', [
    'S0-51',
  ]),
  'kernel.initSteps': oneOf(['all', 'until-key-config'], 'host-v7 at patch 17/20 ends with -EINVAL after the keys.', ['S0-48']),
  'kernel.offlinePackagePolicy': oneOf(
    ['fail-late', 'precheck', 'skip-if-no-pamt'],
    'A package without an online CPU at initialisation.',
    ['S0-29'],
  ),
  'kernel.detect': oneOf(['boot-msr', 'seamcall-only'], 'Look for TDX by MSR at boot, or by trying a SEAMCALL.', [
    'S1-06',
    'S1-07',
  ]),
  'kernel.tdxInit': oneOf(
    ['initcall', 'on-demand'],
    'Who starts the module: the kernel at boot (7.1), or its first user (up to 7.0).',
    ['S0-53'],
  ),
  'kernel.vmxonOwner': oneOf(['arch', 'kvm'], 'Who executes VMXON.', ['S1-02']),
  'kernel.hibernation': onOff('off', 'Hibernation is available (no nohibernate on the command line).', ['S1-37']),
  'kernel.initOnAlloc': onOff('off', 'init_on_alloc=1: the page allocator zeroes what it hands out.', ['S0-30']),
  'kernel.earlierUse': oneOf(
    ['seeded', 'recent'],
    'How long ago page frames had their earlier users: the seed says what is left of their dirty lines, or all of them.',
    ['S0-31'],
  ),
  'kernel.dirtyLines': integer(
    16_384,
    0,
    1_048_576,
    'Dirty KeyID-0 lines that recent users left in one contiguous allocation, over both packages.',
    ['S0-30', 'S0-31'],
  ),
  'kernel.dirtyPages': integer(
    25,
    0,
    100,
    'Per cent of single pages that come with a dirty KeyID-0 line of their earlier user.',
    ['S0-30'],
  ),
  'kernel.workingSet': assumed(
    integer(100, 0, 200, 'Per cent of each package cache that is full of the running kernel when TDX starts.', ['S0-30']),
  ),
  'kernel.incoherentFlag': oneOf(['before', 'after'], 'The per-CPU flag is set before SEAMCALL, or after it.', ['S4-36']),
  'kernel.trackPrivatePages': onOff('off', 'Remember which pages the module has.', ['S4-16']),
  'hotplug.keyOn': oneOf(['initialized', 'bios', 'loaded'], 'What makes memory hotplug be refused.', ['S1-10', 'S1-28']),
  'hotplug.precheckAt': oneOf(['notifier', 'driver-managed', 'all'], 'Where memory that cannot be TDX memory is refused.', [
    'S1-30',
  ]),
  'cmdline.use_tdx': oneOf(['absent', 'on', 'off'], 'The proposed switch between TDX and memory hotplug.', ['S1-27']),
  'kexec.policy': oneOf(['reject-on-erratum', 'exclusive', 'sys-disable', 'v12'], 'What kexec does about private memory.', [
    'S4-34',
    'S4-35',
    'S4-38',
  ]),
  'kexec.reset': oneOf(['pamt', 'all', 'tracked', 'none'], 'What policy v12 converts back before the jump.', ['S4-13', 'S4-19']),
  'kexec.pageTable': oneOf(['direct', 'identity'], 'Mapping through which the reset writes.', ['S4-20']),
  'kexec.flushWhen': oneOf(
    ['early', 'stop-this-cpu'],
    'Whether CPUs flush when virtualisation is disabled, or only when stopped.',
    ['S4-37'],
  ),
  'kexec.flush': onOff('on', 'WBINVD of private lines after the last SEAMCALL.', ['S4-39']),
} as const;

export type KernelKnobs = KnobValues<typeof kernelKnobs>;
