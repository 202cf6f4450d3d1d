import type { GuestCpu, GuestSoftware } from '../platform/guest-cpu.ts';
import { EFI_HOB_GENERIC_HEADER, EFI_HOB_RESOURCE_DESCRIPTOR, HOB_RESOURCE, HOB_TYPE } from '../spec/tdvf.ts';
import { GuestPanic } from './observer.ts';

export interface MemoryResource {
  readonly start: bigint;
  readonly length: bigint;
  readonly unaccepted: boolean;
}

const MAX_HOBS = 256;

/** Reads the TD HOB that the VMM placed at `address`: the memory that the TD was given. The VMM is not trusted: lengths are checked. */
export function* readTdHob(cpu: GuestCpu, address: bigint): GuestSoftware<MemoryResource[]> {
  const memory: MemoryResource[] = [];
  let at = address;
  for (let count = 0; count < MAX_HOBS; count++) {
    const header = yield* cpu.loadBytes(at, EFI_HOB_GENERIC_HEADER.SIZE);
    const type = EFI_HOB_GENERIC_HEADER.HobType.get(header);
    const length = EFI_HOB_GENERIC_HEADER.HobLength.get(header);
    if (type === HOB_TYPE.END_OF_HOB_LIST) return memory;
    if (length < EFI_HOB_GENERIC_HEADER.SIZE) break;
    if (type === HOB_TYPE.RESOURCE_DESCRIPTOR && length >= EFI_HOB_RESOURCE_DESCRIPTOR.SIZE) {
      const resource = memoryResource(yield* cpu.loadBytes(at, EFI_HOB_RESOURCE_DESCRIPTOR.SIZE));
      if (resource) memory.push(resource);
    }
    at += BigInt(length);
  }
  throw new GuestPanic('TD HOB list is corrupt');
}

function memoryResource(bytes: Uint8Array): MemoryResource | null {
  const type = EFI_HOB_RESOURCE_DESCRIPTOR.ResourceType.get(bytes);
  if (type !== HOB_RESOURCE.SYSTEM_MEMORY && type !== HOB_RESOURCE.MEMORY_UNACCEPTED) return null;
  return {
    start: EFI_HOB_RESOURCE_DESCRIPTOR.PhysicalStart.get(bytes),
    length: EFI_HOB_RESOURCE_DESCRIPTOR.ResourceLength.get(bytes),
    unaccepted: type === HOB_RESOURCE.MEMORY_UNACCEPTED,
  };
}
