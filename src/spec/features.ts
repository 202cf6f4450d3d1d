/** Bits of TDX_FEATURES0 that software looks at (linux-upstream.md §4.4). */
export const FEATURES0 = {
  NO_RBP_MOD: 1n << 18n,
  TOPOLOGY_ENUM: 1n << 20n,
  CLFLUSH_BEFORE_ALLOC: 1n << 23n,
  DYNAMIC_PAMT: 1n << 36n,
} as const;

/** MAX_VCPUS_PER_TD: a field of modules newer than 1.5.01, whose tables do not have it. */
export const MD_MAX_VCPUS_PER_TD = 0x9900_0001_0000_0008n;

/** TDH.SYS.DISABLE: a leaf of modules newer than 1.5.01 (linux-upstream.md §2). */
export const TDH_SYS_DISABLE = 69n;
