import { type KnobValues, oneOf, onOff } from '../spec/knob.ts';

/** What the guest kernel's maintainers argued about. */
export const guestKnobs = {
  'guest.mmioDecodeFail': oneOf(
    ['warn+gp', 'gp', 'bug'],
    'An MMIO instruction that cannot be decoded: WARN and VE fault, VE fault alone, or BUG.',
    ['S3-14', 'S3-15'],
  ),
  'guest.wbinvd': oneOf(
    ['fatal', 'warn-ignore', 'tdvmcall'],
    '#VE by WBINVD: unhandled, ignored with a warning, or passed to the VMM.',
    ['S3-18'],
  ),
  'guest.ioMaskBug': onOff('on', 'Port I/O masks are one bit too wide, as in guests up to 7.1.'),
} as const;

export type GuestKnobs = KnobValues<typeof guestKnobs>;
