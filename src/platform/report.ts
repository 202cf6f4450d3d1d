import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384 } from '@noble/hashes/sha2.js';
import { REPORTMACSTRUCT, TEE_TCB_INFO } from '../spec/layouts.ts';
import type { RandomStream } from './random.ts';

/** Who runs in SEAM root mode, as P-SEAMLDR told the CPU when it installed the module. */
export interface SeamIdentity {
  /** SHA-384 of the module image, 48 bytes. */
  readonly mrSeam: Uint8Array;
  /** 48 bytes; zeros for a module signed by Intel. */
  readonly mrSignerSeam: Uint8Array;
  readonly attributes: bigint;
  /** TEE_TCB_SVN, 16 bytes. */
  readonly svn: Uint8Array;
}

/** What software in SEAM root asks the CPU to vouch for. */
export interface ReportRequest {
  readonly type: number;
  readonly subtype: number;
  readonly version: number;
  /** SHA-384 of TDINFO_STRUCT, 48 bytes. */
  readonly teeInfoHash: Uint8Array;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
}

/** Bits of TEE_TCB_INFO.VALID: which fields are present (assumed: SVN, MRSEAM, MRSIGNERSEAM, ATTRIBUTES). */
const TCB_INFO_VALID = 0x301ffn;
const UNMEASURED: SeamIdentity = {
  mrSeam: new Uint8Array(48),
  mrSignerSeam: new Uint8Array(48),
  attributes: 0n,
  svn: new Uint8Array(16),
};

/**
 * The CPU's report operation (SEAMOPS leaf SEAMREPORT): it signs with an HMAC-SHA-256 key that never leaves this platform, so that
 * only the same platform can verify a report.
 */
export class ReportOperation {
  readonly #key: Uint8Array;
  /** CPUSVN, 16 bytes. Assumed: a platform constant. */
  readonly cpuSvn: Uint8Array;
  #identity: SeamIdentity = UNMEASURED;

  constructor(stream: RandomStream) {
    this.#key = stream.bytes(new Uint8Array(32));
    this.cpuSvn = stream.bytes(new Uint8Array(16));
  }

  /** P-SEAMLDR's measurement of the module that it installed. */
  setSeamIdentity(identity: SeamIdentity): void {
    this.#identity = identity;
  }

  /** TEE_TCB_INFO of the module that runs, 239 bytes. */
  teeTcbInfo(): Uint8Array {
    const info = new Uint8Array(TEE_TCB_INFO.SIZE);
    TEE_TCB_INFO.VALID.set(info, TCB_INFO_VALID);
    TEE_TCB_INFO.TEE_TCB_SVN.set(info, this.#identity.svn);
    TEE_TCB_INFO.MRSEAM.set(info, this.#identity.mrSeam);
    TEE_TCB_INFO.MRSIGNERSEAM.set(info, this.#identity.mrSignerSeam);
    TEE_TCB_INFO.ATTRIBUTES.set(info, this.#identity.attributes);
    TEE_TCB_INFO.TEE_TCB_SVN2.set(info, this.#identity.svn);
    return info;
  }

  /** REPORTMACSTRUCT over what the caller and the CPU each know, 256 bytes. */
  report(request: ReportRequest): Uint8Array {
    const out = new Uint8Array(REPORTMACSTRUCT.SIZE);
    REPORTMACSTRUCT.TYPE.set(out, request.type);
    REPORTMACSTRUCT.SUBTYPE.set(out, request.subtype);
    REPORTMACSTRUCT.VERSION.set(out, request.version);
    REPORTMACSTRUCT.CPUSVN.set(out, this.cpuSvn);
    REPORTMACSTRUCT.TEE_TCB_INFO_HASH.set(out, sha384(this.teeTcbInfo()));
    REPORTMACSTRUCT.TEE_INFO_HASH.set(out, request.teeInfoHash);
    REPORTMACSTRUCT.REPORTDATA.set(out, request.reportData);
    REPORTMACSTRUCT.MAC.set(out, this.#mac(out));
    return out;
  }

  /** Was this REPORTMACSTRUCT made here? A CPUSVN above this platform's cannot have been. */
  verify(struct: Uint8Array): 'ok' | 'cpusvn' | 'mac' {
    if (compare(REPORTMACSTRUCT.CPUSVN.get(struct), this.cpuSvn) > 0) return 'cpusvn';
    return compare(REPORTMACSTRUCT.MAC.get(struct), this.#mac(struct)) === 0 ? 'ok' : 'mac';
  }

  #mac(struct: Uint8Array): Uint8Array {
    return hmac(sha256, this.#key, struct.subarray(0, REPORTMACSTRUCT.MAC.offset));
  }
}

const compare = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
};
