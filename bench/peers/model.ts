/**
 * What the two peers model, and all that they model: one package, one engine, the line semantics of docs/memory-law.md for KeyID 0 and private
 * KeyIDs in Ci mode with the TD bit. No shared KeyIDs above 0 (their garbage would need real AES), no partial writes, no provenance, no attacker.
 * A MAC is known without being computed: it is right exactly when the line was written under the reader's KeyID and its present key.
 * Addresses are line-aligned bytes, lengths whole lines. Status: 0, or 1 when poison was consumed.
 */
export interface PeerMemory {
  /** A new random key for a private KeyID. */
  programKey(keyId: number): void;
  /** Cached store of whole lines (read for ownership first, as hardware does). */
  write(pa: number, keyId: number, bytes: Uint8Array): void;
  /** Cached load; stops at the first poisoned line, with the lines before it in `out`. */
  read(pa: number, keyId: number, out: Uint8Array): number;
  /** Direct 64-byte stores past the cache. */
  directWrite(pa: number, keyId: number, bytes: Uint8Array): void;
  /** A device's read past the cache; dirty lines of its own tag are written back first. Stops as {@link read} does. */
  dmaRead(pa: number, keyId: number, out: Uint8Array): number;
  wbinvd(): void;
}

export const LINE = 64;
/** Lines 0 … are written by nobody at first: zeros under KeyID 0. */
export const NOBODY = 0;
