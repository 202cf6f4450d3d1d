/** Marks the key instances that lines in DRAM name. */
import { markInstance } from './keys';
import { lineTag } from './page';
import { DATA, INSTANCE, NODE } from './tags';
import { kindOf, LOW, root, rootDescriptors } from './tree';

export function markInstances(): void {
  for (let i: usize = 0, n = <usize>rootDescriptors(); i < n; ++i) markBelow(root + (i << 4));
}

function markBelow(desc: usize): void {
  const kind = kindOf(desc);
  if (kind <= DATA) {
    markInstance(load<u32>(desc) & INSTANCE);
  } else if (kind != NODE) {
    for (let i: u32 = 0; i < 64; ++i) markInstance(lineTag(desc, i) & INSTANCE);
  } else {
    const node = <usize>load<u32>(desc, LOW);
    for (let i: usize = 0; i < 512; ++i) markBelow(node + (i << 4));
  }
}
