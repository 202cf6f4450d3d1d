/** Power-on and resets. */
import { settle } from './cache';
import { packages } from './config';
import { clearPackage } from './directory';
import { clearDisplacements } from './displacements';
import { wbinvd } from './flush';
import { provideInstances, resetKeys } from './keys';
import { resolveAll } from './pending';
import { discardAll } from './range-fill';
import { inveptAll } from './sept-cache';
import { initialFill, ROOT_SHIFT, root, rootDescriptors } from './tree';
import { changeHeldBelow, firstView, NO_FRAME, nextFrame } from './view-index';
import { clearHeld, heldBy, NEXT, setValid, validIn } from './views';

/** All copies go as they are, and what was noted goes with them. */
function dropViews(): void {
  for (let frame = nextFrame(0); frame != NO_FRAME; frame = nextFrame(frame + 1)) {
    let view = firstView(frame);
    while (view != 0) {
      const next = <usize>load<u32>(view, NEXT);
      for (let p: u32 = 0; p < packages; ++p) {
        changeHeldBelow(frame, p, -(<i32>popcnt<i64>(<i64>validIn(view, p))));
        setValid(view, p, 0);
      }
      settle(view);
      view = next;
    }
  }
  for (let p: u32 = 0; p < packages; ++p) {
    if (heldBy(p) != 0) clearPackage(p);
    clearHeld(p);
  }
}

/** All lines zeros under KeyID 0, caches empty, keys as at power-on. Needs no more memory than it frees. */
export function coldReset(): void {
  dropViews();
  for (let i: u64 = 0; i < <u64>rootDescriptors(); ++i) discardAll(root + ((<usize>i) << 4), i << ROOT_SHIFT);
  clearDisplacements();
  resetKeys();
  inveptAll();
  initialFill();
  provideInstances();
}

/** Caches written back and emptied, keys as at power-on; DRAM as it is. */
export function warmReset(): void {
  for (let p: u32 = 0; p < packages; ++p) wbinvd(p);
  resolveAll();
  provideInstances();
  resetKeys();
  inveptAll();
}
