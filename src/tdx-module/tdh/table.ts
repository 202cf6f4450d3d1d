import { TDH } from '../../spec/leaves.ts';
import type { Leaf, LeafTable, TdhName } from '../context.ts';
import { memLeaves } from './mem.ts';
import { mngLeaves } from './mng.ts';
import { mrLeaves } from './mr.ts';
import { phymemLeaves } from './phymem.ts';
import { sysLeaves } from './sys.ts';
import { vpLeaves } from './vp.ts';

export interface LeafEntry {
  readonly name: TdhName;
  readonly leaf: Leaf;
}

const groups: LeafTable = { ...sysLeaves, ...mngLeaves, ...phymemLeaves, ...memLeaves, ...mrLeaves, ...vpLeaves };

/** Host leaves by number; a leaf that is not here is unknown to the dispatcher. */
export const LEAVES: ReadonlyMap<bigint, LeafEntry> = new Map(
  Object.entries(groups).map(([name, leaf]) => [TDH[name as TdhName], { name: name as TdhName, leaf }]),
);
