/** Parts of the core that a commit may lack: rows that need them say so instead of measuring something else. */
import { Unavailable } from './run.ts';

/** `owner` with this member, or the row is not there. */
export function having<Member extends object>(owner: object, name: keyof Member & string): Member {
  if (!(name in owner)) throw new Unavailable(`this core has no ${name}()`);
  return owner as Member;
}
