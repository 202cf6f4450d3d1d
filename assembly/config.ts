/** The hardware knobs, read once at init. */
import {
  CONFIG_ADDRESS_BITS,
  CONFIG_AES_BITS,
  CONFIG_CACHE_SETS,
  CONFIG_CACHE_WAYS,
  CONFIG_EAGER,
  CONFIG_ERRATUM,
  CONFIG_INTEGRITY,
  CONFIG_LRU,
  CONFIG_MAC_BITS,
  CONFIG_MAC_FIRST,
  CONFIG_PACKAGES,
  CONFIG_PRIVATE_KEY_IDS,
  CONFIG_PROVENANCE,
  CONFIG_SEED,
  CONFIG_SHARED_INTEGRITY,
  CONFIG_SHARED_KEY_IDS,
  CONFIG_TD_BIT,
  CONFIG_UNPROGRAMMED_FAULT,
} from './layout';
import { mailbox } from './memory-map';

export let seed: u64 = 0;
export let packages: u32 = 0;
export let addressBits: u32 = 0;
export let sharedKeyIds: u32 = 0;
export let keyIds: u32 = 0;
/** Ci: there are MACs at all. */
export let macs: bool = false;
export let sharedIntegrity: bool = false;
export let macMask: u32 = 0;
export let macBits: u32 = 0;
export let tdBitOn: bool = false;
export let macFirst: bool = false;
export let unprogrammedFault: bool = false;
export let erratum: bool = false;
export let aesBits: u32 = 0;
export let cacheSets: u32 = 0;
export let cacheWays: u32 = 0;
export let lru: bool = false;
export let eager: bool = false;
export let provenance: bool = false;

export function readConfig(): void {
  const at = mailbox;
  seed = load<u64>(at, CONFIG_SEED);
  packages = load<u32>(at, CONFIG_PACKAGES);
  addressBits = load<u32>(at, CONFIG_ADDRESS_BITS);
  sharedKeyIds = load<u32>(at, CONFIG_SHARED_KEY_IDS);
  keyIds = 1 + sharedKeyIds + load<u32>(at, CONFIG_PRIVATE_KEY_IDS);
  macs = load<u32>(at, CONFIG_INTEGRITY) != 0;
  sharedIntegrity = load<u32>(at, CONFIG_SHARED_INTEGRITY) != 0;
  macBits = load<u32>(at, CONFIG_MAC_BITS);
  macMask = ((<u32>1) << macBits) - 1;
  tdBitOn = load<u32>(at, CONFIG_TD_BIT) != 0;
  macFirst = load<u32>(at, CONFIG_MAC_FIRST) != 0;
  unprogrammedFault = load<u32>(at, CONFIG_UNPROGRAMMED_FAULT) != 0;
  erratum = load<u32>(at, CONFIG_ERRATUM) != 0;
  aesBits = load<u32>(at, CONFIG_AES_BITS);
  cacheSets = load<u32>(at, CONFIG_CACHE_SETS);
  cacheWays = load<u32>(at, CONFIG_CACHE_WAYS);
  lru = load<u32>(at, CONFIG_LRU) != 0;
  eager = load<u32>(at, CONFIG_EAGER) != 0;
  provenance = load<u32>(at, CONFIG_PROVENANCE) != 0;
}

export function isPrivate(keyId: u32): bool {
  return keyId > sharedKeyIds;
}

/** Has memory written or read through this KeyID a MAC? (docs/memory-law.md, "Which KeyID has integrity") */
export function hasIntegrity(keyId: u32): bool {
  return macs && keyId != 0 && (keyId > sharedKeyIds || sharedIntegrity);
}
