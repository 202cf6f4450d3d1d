/** Everything the memory law promises, for any engine. */

import { describe } from 'vitest';
import { describeAttackers } from './attackers.ts';
import { describeCaches } from './caches.ts';
import type { Engine } from './engine.ts';
import { describeKeys } from './keys.ts';
import { describeMisuse } from './misuse.ts';
import { describeProvenance } from './provenance.ts';
import { describeReadTable } from './read-table.ts';
import { describeSept } from './sept.ts';
import { describeWriteTable } from './write-table.ts';

const SUITES: Record<string, (engine: Engine) => void> = {
  'reads (DESIGN.md §3)': describeReadTable,
  'writes (DESIGN.md §3)': describeWriteTable,
  'keys and MAC': describeKeys,
  caches: describeCaches,
  attackers: describeAttackers,
  provenance: describeProvenance,
  'page walks': describeSept,
  misuse: describeMisuse,
};

export function describeLaw(engine: Engine): void {
  describe(engine.name, () => {
    for (const [name, suite] of Object.entries(SUITES)) describe(name, () => suite(engine));
  });
}
