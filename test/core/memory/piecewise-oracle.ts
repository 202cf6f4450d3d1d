/**
 * The oracle, doing every operation in the pieces between which the core may run out of memory (docs/memory-law.md, "Out of memory"):
 * it tells before each, and whoever listens may stop it there by throwing.
 */

import type { DirectStore, DirectWrite, Status } from '../../../bindings/memory-core.ts';
import { EagerCore } from '../../oracle/eager-core.ts';

const LINE = 64;

/** Calls back for each line of a range until one answers with poison. */
function byLine(pa: number, length: number, visit: (pa: number, from: number, to: number) => Status): Status {
  for (let from = 0; from < length; ) {
    const to = Math.min(length, from + LINE - ((pa + from) % LINE));
    if (visit(pa + from, from, to) !== 0) return 1;
    from = to;
  }
  return 0;
}

export class PiecewiseOracle extends EagerCore {
  beforePiece = (): void => {};

  override read(pkg: number, pa: number, keyId: number, out: Uint8Array): Status {
    return byLine(pa, out.length, (at, from, to) => {
      this.beforePiece();
      return super.read(pkg, at, keyId, out.subarray(from, to));
    });
  }

  override write(pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    return byLine(pa, bytes.length, (at, from, to) => {
      this.beforePiece();
      return super.write(pkg, at, keyId, bytes.subarray(from, to));
    });
  }

  override movdir64b(pkg: number, pa: number, keyId: number): void {
    this.beforePiece();
    super.movdir64b(pkg, pa, keyId);
  }

  override movdir64bFill(pkg: number, pa: number, lines: number, keyId: number, pattern: bigint): void {
    for (let i = 0; i < lines; i++) {
      this.beforePiece();
      super.movdir64bFill(pkg, pa + i * LINE, 1, keyId, pattern);
    }
  }

  override movdir64bCopy(pkg: number, to: number, toKeyId: number, from: number, fromKeyId: number, lines: number): Status {
    const bytes = new Uint8Array(LINE);
    for (let i = 0; i < lines; i++) {
      if (this.read(pkg, from + i * LINE, fromKeyId, bytes) !== 0) return 1;
      this.beforePiece();
      super.directWrite('movdir64b', pkg, to + i * LINE, toKeyId, bytes);
    }
    return 0;
  }

  override directStore(kind: DirectStore, pkg: number, pa: number, length: number, keyId: number): Status {
    return this.directWrite(kind, pkg, pa, keyId, this.mailbox.u8.slice(0, length));
  }

  override directWrite(kind: DirectWrite, pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    return byLine(pa, bytes.length, (at, from, to) => {
      this.beforePiece();
      return super.directWrite(kind, pkg, at, keyId, bytes.subarray(from, to));
    });
  }

  override dmaReadInto(pa: number, keyId: number, out: Uint8Array): Status {
    return byLine(pa, out.length, (at, from, to) => {
      this.beforePiece();
      return super.dmaReadInto(at, keyId, out.subarray(from, to));
    });
  }

  override check(pa: number, length: number, keyId: number): Status {
    return byLine(pa, length, (at, from, to) => {
      this.beforePiece();
      return super.check(at, to - from, keyId);
    });
  }

  override clflush(pa: number, lines: number, keyId: number): void {
    for (let i = 0; i < lines; i++) {
      this.beforePiece();
      super.clflush(pa + i * LINE, 1, keyId);
    }
  }

  override evict(pkg: number, pa: number, keyId: number): boolean {
    this.beforePiece();
    return super.evict(pkg, pa, keyId);
  }

  override evictSome(pkg: number, count: number): number {
    for (let i = 0; i < count; i++) {
      this.beforePiece();
      if (super.evictSome(pkg, 1) === 0) return i;
    }
    return count;
  }

  override warmReset(): void {
    for (let pkg = 0; pkg < this.config.packages; pkg++) this.wbinvd(pkg);
    this.beforePiece();
    super.warmReset();
  }
}
