/**
 * The structs that cross the boundary: byte offsets, read by `assembly/` and `bindings/` alike.
 * Plain constants only, so that both compilers take the file as it is.
 */

/** Config, at the mailbox's start when `init` is called; home segments follow at CONFIG_SEGMENTS. */
export const CONFIG_SEED = 0; // u64
export const CONFIG_PACKAGES = 8;
export const CONFIG_ADDRESS_BITS = 12;
export const CONFIG_SHARED_KEY_IDS = 16;
export const CONFIG_PRIVATE_KEY_IDS = 20;
export const CONFIG_INTEGRITY = 24;
export const CONFIG_SHARED_INTEGRITY = 28;
export const CONFIG_MAC_BITS = 32;
export const CONFIG_TD_BIT = 36;
export const CONFIG_MAC_FIRST = 40;
export const CONFIG_UNPROGRAMMED_FAULT = 44;
export const CONFIG_ERRATUM = 48;
export const CONFIG_AES_BITS = 52;
export const CONFIG_CACHE_SETS = 56;
export const CONFIG_CACHE_WAYS = 60;
export const CONFIG_LRU = 64;
export const CONFIG_EAGER = 68;
export const CONFIG_PROVENANCE = 72;
/** Limit of linear memory in 64 KiB pages. */
export const CONFIG_MAX_PAGES = 76;
export const CONFIG_SEGMENT_COUNT = 80;
/** Segments cover the whole address space in ascending order: {first GiB u32, package u32}. */
export const CONFIG_SEGMENTS = 128;
export const CONFIG_SEGMENT_BYTES = 8;

export const MAILBOX_SIZE = 65536;

/** Of a stream of references to the capacity model, at the mailbox's start: f64 each. */
export const CAPACITY_MISSES = 0;
export const CAPACITY_EVICTIONS = 8;

/** Fault record. */
export const FAULT_LINE = 0; // u64
export const FAULT_KEY_ID = 8;
export const FAULT_CHECK = 12;
/** 0 no, 1 yes, 2 there is no MAC. */
export const FAULT_MAC_WOULD_FIRE = 16;
export const FAULT_TD_BIT_WOULD_FIRE = 20;
export const FAULT_POISONED_BY = 24;
export const FAULT_STORED_KEY_ID = 28;
export const FAULT_STORED_TD_BIT = 32;
export const FAULT_WRITER = 36;
export const FAULT_BYTES = 40;

export const CHECK_NONE = 0;
export const CHECK_POISON = 1;
export const CHECK_TD_BIT = 2;
export const CHECK_MAC = 3;
export const CHECK_UNPROGRAMMED_KEY = 4;
export const CHECK_PARTIAL_WRITE = 5;

/** Displacement record in the log and as the probe returns it. */
export const DISPLACEMENT_LINE = 0; // u64
export const DISPLACEMENT_LINES = 8; // u64
export const DISPLACEMENT_CAUSE = 16;
export const DISPLACEMENT_EVENT = 20;
export const DISPLACEMENT_KEY_ID = 24;
export const DISPLACEMENT_TD_BIT = 28;
export const DISPLACEMENT_WRITER = 32;
export const DISPLACEMENT_OLD_KEY_ID = 36;
export const DISPLACEMENT_OLD_TD_BIT = 40;
export const DISPLACEMENT_OLD_WRITER = 44;
export const DISPLACEMENT_BYTES = 48;

export const CAUSE_EVICTION = 0;
export const CAUSE_WBINVD = 1;
export const CAUSE_WBNOINVD = 2;
export const CAUSE_CLFLUSH = 3;
export const CAUSE_SNOOP = 4;
export const CAUSE_MOVDIR64B = 5;
export const CAUSE_NT_STORE = 6;
export const CAUSE_UC_STORE = 7;
export const CAUSE_DMA = 8;

/** Probe record: a DRAM line or run, or a cached copy, then 64 bytes of ciphertext or data. */
export const PROBE_LINE = 0; // u64
export const PROBE_LINES = 8; // u64
export const PROBE_KEY_ID = 16;
export const PROBE_GENERATION = 20;
export const PROBE_PACKAGE = 24;
export const PROBE_WRITER = 28;
export const PROBE_FLAGS = 32;
export const PROBE_MAC = 36;
export const PROBE_DATA = 64;
export const PROBE_BYTES = 128;

export const PROBE_TD_BIT = 1;
export const PROBE_POISON = 2;
export const PROBE_TAMPERED = 4;
export const PROBE_MAC_STORED = 8;
export const PROBE_DIRTY = 16;

export const FLIP_DATA = 0;
export const FLIP_MAC = 1;
export const FLIP_TD_BIT = 2;
export const FLIP_POISON = 3;

export const KEY_MODE_RANDOM = 0;
export const KEY_MODE_DIRECT = 1;
export const KEY_MODE_CLEAR = 2;
export const KEY_MODE_NO_ENCRYPT = 3;

/** Logical processors that walk, and S-EPTs that each may be set to. */
export const WALK_LPS = 1024;
export const WALK_SLOTS = 16;

/** Result of a page walk. */
export const WALK_HPA = 0; // u64
export const WALK_ENTRY = 8; // u64
export const WALK_LEVEL = 16;
export const WALK_STATUS = 20;
export const WALK_BYTES = 24;

export const WALK_MAPPED = 0;
export const WALK_VIOLATION = 1;
export const WALK_MISCONFIGURATION = 2;
export const WALK_POISON = 3;

/** The line number that `abort` carries when linear memory has run out. */
export const ABORT_OUT_OF_MEMORY = 0x4f4f4d;
/** The same when lines in DRAM name nearly as many key instances as there can be. */
export const ABORT_OUT_OF_INSTANCES = 0x4f4f49;

/** Spans of data that a planned range operation leaves to be copied. */
export const SPANS_MAX = 512;
export const SPAN_AT = 0;
export const SPAN_BYTES = 4;
export const SPAN_SIZE = 8;

/** Mailbox of `cryptoLines`: data key and tweak key 32 bytes apart, MAC key, then the lines, and behind them a MAC for each. */
export const CRYPTO_KEYS = 0;
export const CRYPTO_MAC_KEY = 64;
/** u32, 0 or 1. */
export const CRYPTO_TD_BIT = 80;
export const CRYPTO_LINES = 128;
export const CRYPTO_MAX_LINES = 961;

export const CRYPTO_SEAL = 0;
export const CRYPTO_OPEN = 1;

/** Stress program, at the mailbox's start when `stressSetUp` is called; its tables follow (docs/stress-law.md). */
export const STRESS_SEED = 0; // u64
export const STRESS_BASE_LINE = 8; // u64
export const STRESS_LINES = 16; // u64
/** Stride, hot lines or repeat. */
export const STRESS_PARAMETER = 24; // u64
/** Of 2^32. */
export const STRESS_HOT_BELOW = 32; // u64
export const STRESS_PRIVATE_BELOW = 40; // u64
export const STRESS_TABLE_PAGE = 48; // u64
export const STRESS_GUEST_PAGES = 56;
export const STRESS_PATTERN = 60;
export const STRESS_REGION_SHIFT = 64;
export const STRESS_PREPARE = 68;
/** KeyIDs that the program uses; the next one is the S-EPT's. */
export const STRESS_SHARED_KEY_IDS = 72;
export const STRESS_PRIVATE_KEY_IDS = 76;
/** Of 2^23. */
export const STRESS_CROSS_BELOW = 80;
export const STRESS_ZIPF_BUCKETS = 84;
/** Cumulative weights of the operations, u64 each, of 2^32. */
export const STRESS_MIX = 128;
/** Zipf buckets: {below u64 of 2^52, first line u64, lines u64}. */
export const STRESS_ZIPF = 256;
export const STRESS_BUCKET_BELOW = 0;
export const STRESS_BUCKET_START = 8;
export const STRESS_BUCKET_LINES = 16;
export const STRESS_BUCKET_BYTES = 24;

export const STRESS_SEQUENTIAL = 0;
export const STRESS_STRIDED = 1;
export const STRESS_UNIFORM = 2;
export const STRESS_ZIPFIAN = 3;
export const STRESS_HOT_SET = 4;
export const STRESS_PING_PONG = 5;

/** Operations in the order of the law. */
export const STRESS_LOAD = 0;
export const STRESS_STORE = 1;
export const STRESS_MOVDIR64B = 2;
export const STRESS_MOVNTI = 3;
export const STRESS_CLFLUSH = 4;
export const STRESS_WBINVD = 5;
export const STRESS_EVICT = 6;
export const STRESS_DMA_READ = 7;
export const STRESS_DMA_WRITE = 8;
export const STRESS_REKEY = 9;
export const STRESS_WALK = 10;
export const STRESS_FLIP = 11;
export const STRESS_OPERATIONS = 12;

/** Result of a stress program: u64 each. */
export const STRESS_POSITION = 0;
export const STRESS_DIGEST = 8;
export const STRESS_PROVENANCE_DIGEST = 16;
/** Faults by check, CHECK_NONE's place unused. */
export const STRESS_FAULTS = 24;
export const STRESS_BY_OPERATION = 72;
/** Lines of the footprint that the set-up has written. */
export const STRESS_PREPARED = 168;
export const STRESS_RESULT_BYTES = 176;
