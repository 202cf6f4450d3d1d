/** Marks the key instances that lines in DRAM name. */
import { markInstance } from './keys';
import { DATA, FILL, INSTANCE, MIXED } from './tags';
import { HIGH, kindOf, LOW, root, rootDescriptors } from './tree';

export function markInstances(): void {
  for (let i: usize = 0, n = <usize>rootDescriptors(); i < n; ++i) markBelow(root + (i << 4));
}

function markBelow(desc: usize): void {
  const kind = kindOf(desc);
  if (kind == FILL || kind == DATA) {
    markInstance(load<u32>(desc) & INSTANCE);
  } else if (kind == MIXED) {
    const tags = <usize>load<u32>(desc, HIGH);
    for (let at = tags; at < tags + 256; at += 4) markInstance(load<u32>(at) & INSTANCE);
  } else {
    const node = <usize>load<u32>(desc, LOW);
    for (let i: usize = 0; i < 512; ++i) markBelow(node + (i << 4));
  }
}
