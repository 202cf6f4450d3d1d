/** Writes the config struct (assembly/layout.ts) into the mailbox. */
import * as L from '../assembly/layout.ts';
import type { CoreConfig } from './memory-core.ts';
import { CoreMisuse } from './memory-core.ts';

const GIB = 2 ** 30;

/** Home segments from address 0 to the end, gaps given to package 0, neighbours of one package joined. */
function segmentsOf(config: CoreConfig): { gib: number; package: number }[] {
  const segments = [{ gib: 0, package: 0 }];
  const add = (gib: number, pkg: number): void => {
    const last = segments[segments.length - 1]!;
    if (last.package === pkg) return;
    if (last.gib === gib) {
      segments.pop();
      if (segments.at(-1)?.package === pkg) return;
    }
    segments.push({ gib, package: pkg });
  };
  const limit = 2 ** config.maxPhysAddrBits;
  for (const home of [...config.homes].sort((a, b) => a.base - b.base)) {
    if (home.size === 0) continue;
    add(home.base / GIB, home.package);
    if (home.base + home.size < limit) add((home.base + home.size) / GIB, 0);
  }
  return segments;
}

export function writeConfig(view: DataView, config: CoreConfig, maxPages: number): void {
  const segments = segmentsOf(config);
  if (L.CONFIG_SEGMENTS + segments.length * L.CONFIG_SEGMENT_BYTES > L.MAILBOX_SIZE) {
    throw new CoreMisuse('CONFIG', `${config.homes.length} home ranges: too many`);
  }
  view.setBigUint64(L.CONFIG_SEED, config.seed, true);
  const words: [number, number | boolean][] = [
    [L.CONFIG_PACKAGES, config.packages],
    [L.CONFIG_ADDRESS_BITS, config.maxPhysAddrBits],
    [L.CONFIG_SHARED_KEY_IDS, config.numSharedKeyIds],
    [L.CONFIG_PRIVATE_KEY_IDS, config.numPrivateKeyIds],
    [L.CONFIG_INTEGRITY, config.integrity === 'Ci'],
    [L.CONFIG_SHARED_INTEGRITY, config.sharedIntegrity],
    [L.CONFIG_MAC_BITS, config.macBits],
    [L.CONFIG_TD_BIT, config.tdBit],
    [L.CONFIG_MAC_FIRST, config.checkOrder === 'mac-first'],
    [L.CONFIG_UNPROGRAMMED_FAULT, config.unprogrammedKey === 'fault'],
    [L.CONFIG_ERRATUM, config.partialWriteErratum],
    [L.CONFIG_AES_BITS, config.aesBits],
    [L.CONFIG_CACHE_SETS, config.cacheSets],
    [L.CONFIG_CACHE_WAYS, config.cacheSets === 0 ? 0 : config.cacheWays],
    [L.CONFIG_LRU, config.cacheSets !== 0 && config.cachePolicy === 'lru'],
    [L.CONFIG_EAGER, config.crypto === 'eager'],
    [L.CONFIG_PROVENANCE, config.provenance],
    [L.CONFIG_MAX_PAGES, maxPages],
    [L.CONFIG_SEGMENT_COUNT, segments.length],
  ];
  for (const [offset, value] of words) view.setUint32(offset, Number(value), true);
  segments.forEach((segment, i) => {
    view.setUint32(L.CONFIG_SEGMENTS + i * L.CONFIG_SEGMENT_BYTES, segment.gib, true);
    view.setUint32(L.CONFIG_SEGMENTS + i * L.CONFIG_SEGMENT_BYTES + 4, segment.package, true);
  });
}
