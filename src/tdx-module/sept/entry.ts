import {
  inStates,
  SEPT,
  SEPT_FLAG,
  SEPT_STATE,
  SEPT_STATE_CODE,
  SEPT_STATE_NUMBER,
  septState,
  withSeptState,
} from '../../spec/sept.ts';

/** Write-back, what every private leaf has. */
const WRITE_BACK = 6n;
export const RWX = SEPT.R | SEPT.W | SEPT.X;
const LEAF_VIEW = RWX | SEPT.MT_MASK | SEPT.IPAT | SEPT.LEAF | SEPT.SVE;
const NON_LEAF_VIEW = RWX | SEPT.LEAF;
const INFO_STATE_SHIFT = 8n;
/** States whose leaf the TD may use: they carry permissions, the others have none. */
const ACCESSIBLE = SEPT_FLAG.guest_accessible_leaf | (1 << SEPT_STATE.NL_MAPPED);
const READ_ONLY = SEPT_FLAG.any_blockedw;

export const isLeaf = (entry: bigint): boolean => (entry & SEPT.LEAF) !== 0n;
export const isPresent = (entry: bigint): boolean => (entry & RWX) !== 0n;

export const isBlocked = (entry: bigint): boolean => inStates(SEPT_FLAG.any_blocked, septState(entry));
/** MAPPED_PENDING and its kin: nobody has accepted the page yet. */
export const isPending = (entry: bigint): boolean => inStates(SEPT_FLAG.any_pending, septState(entry));

/** Bytes that an entry at this level covers. */
export const levelSize = (level: number): number => 2 ** (12 + 9 * level);

/** What the entry points to: its page, aligned to the page's size (a pending 2 MiB entry keeps a counter below), or its S-EPT page. */
export const hpaOf = ({ entry, level }: { readonly entry: bigint; readonly level: number }): number => {
  const hpa = Number(entry & SEPT.HPA_MASK);
  return isLeaf(entry) ? hpa - (hpa % levelSize(level)) : hpa;
};

const permissions = (state: number): bigint => {
  if (!inStates(ACCESSIBLE, state)) return 0n;
  return inStates(READ_ONLY, state) ? SEPT.R | SEPT.X : RWX;
};

/** The entry in another state: the state's code and the permissions that go with it; every other bit stays. */
export const inState = (entry: bigint, state: number): bigint =>
  (withSeptState(entry, SEPT_STATE_CODE[state]!) & ~RWX) | permissions(state);

/** A new leaf: write-back, suppress-#VE set because the module and not the CPU decides what a violation becomes. */
export const leafEntry = (hpa: number, state: number): bigint =>
  inState(BigInt(hpa) | (WRITE_BACK << SEPT.MT_SHIFT) | SEPT.SVE, state);

/** A new entry that maps an S-EPT page. */
export const nonLeafEntry = (hpa: number): bigint => inState(BigInt(hpa) | SEPT.SVE, SEPT_STATE.NL_MAPPED);

/** What a host leaf returns in RCX: physical addresses of S-EPT pages and the module's own bits stay hidden (layouts.md §9). */
export const entryView = (at: { readonly entry: bigint; readonly level: number }): bigint => {
  const { entry } = at;
  if (isLeaf(entry)) return (entry & LEAF_VIEW) | BigInt(hpaOf(at));
  const state = septState(entry);
  return state === SEPT_STATE.FREE || state === SEPT_STATE.REMOVED ? entry & SEPT.SVE : entry & NON_LEAF_VIEW;
};

/** The information word in RDX: level, state number, VM 0. */
export const infoWord = (entry: bigint, level: number): bigint =>
  BigInt(level) | (BigInt(SEPT_STATE_NUMBER[septState(entry)]!) << INFO_STATE_SHIFT);

/** 4 KiB pages already cleared in a pending 2 MiB entry that its guest is accepting. */
export const acceptCounter = (entry: bigint): number => Number((entry & SEPT.ACCEPT_COUNTER_MASK) >> SEPT.ACCEPT_COUNTER_SHIFT);
export const withAcceptCounter = (entry: bigint, count: number): bigint =>
  (entry & ~SEPT.ACCEPT_COUNTER_MASK) | (BigInt(count) << SEPT.ACCEPT_COUNTER_SHIFT);
