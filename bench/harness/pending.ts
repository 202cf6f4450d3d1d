/** Verbs that a core of another commit may lack: their rows say so instead of measuring something else. */
import type { DirectStore, MemoryCore, Status } from '../../bindings/index.ts';
import { Unavailable } from './run.ts';

export interface CoreBuffer {
  /** Made anew when Wasm memory grows: read it through the property. */
  readonly u8: Uint8Array;
}

export interface PendingVerbs {
  check(pa: number, length: number, keyId: number): Status;
  buffer(bytes: number): CoreBuffer;
  directWrite(kind: DirectStore | 'movdir64b', pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status;
  dmaReadInto(pa: number, keyId: number, out: Uint8Array): Status;
}

/** The core, if it has these verbs; otherwise the row is not there. */
export function withVerbs<K extends keyof PendingVerbs>(core: MemoryCore, ...names: K[]): MemoryCore & Pick<PendingVerbs, K> {
  for (const name of names) {
    if (!(name in core)) throw new Unavailable(`this core has no ${name}()`);
  }
  return core as MemoryCore & Pick<PendingVerbs, K>;
}
