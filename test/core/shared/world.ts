/** The small world of random programs. */

import { GIB, HOME0, HOME1 } from './engine.ts';

/** Few lines, so that they meet: neighbours in both homes, and one on each side of the border. */
export const LINES = [HOME0, HOME0 + 64, HOME0 + 128, HOME1, HOME1 + 64, GIB - 64, GIB] as const;

/** KeyIDs 0, shared 1..2, private 3..5; the last one is kept for page tables. */
export const NUM_SHARED = 2;
export const NUM_PRIVATE = 3;
export const TABLE_KEYID = 5;
/** The KeyID that a line is first written under when the program asks for sound lines. */
export const NATURAL_KEYID = [3, 3, 1, 4, 2, 0, 3] as const;
