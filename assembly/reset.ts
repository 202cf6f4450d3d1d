/** Power-on and resets. */
import { dropFrom, settle } from './cache';
import { packages } from './config';
import { clearDisplacements } from './displacements';
import { wbinvd } from './flush';
import { resetKeys } from './keys';
import { dropAllMacs } from './macs';
import { forgetAllPoison } from './origins';
import { resolveAll } from './pending';
import { discardAll } from './range-fill';
import { inveptAll } from './sept-cache';
import { initialFill, ROOT_SHIFT, root, rootDescriptors } from './tree';
import { firstView, NO_FRAME, nextFrame } from './view-index';
import { NEXT } from './views';

function dropViews(): void {
  resolveAll();
  for (let frame = nextFrame(0); frame != NO_FRAME; frame = nextFrame(frame + 1)) {
    let view = firstView(frame);
    while (view != 0) {
      const next = <usize>load<u32>(view, NEXT);
      for (let p: u32 = 0; p < packages; ++p) dropFrom(view, p, ~(<u64>0));
      settle(view);
      view = next;
    }
  }
}

/** All lines zeros under KeyID 0, caches empty, keys as at power-on. Needs no more memory than it frees. */
export function coldReset(): void {
  dropViews();
  for (let i: u64 = 0; i < <u64>rootDescriptors(); ++i) discardAll(root + ((<usize>i) << 4), i << ROOT_SHIFT);
  dropAllMacs();
  forgetAllPoison();
  clearDisplacements();
  resetKeys();
  inveptAll();
  initialFill();
}

/** Caches written back and emptied, keys as at power-on; DRAM as it is. */
export function warmReset(): void {
  for (let p: u32 = 0; p < packages; ++p) wbinvd(p);
  resolveAll();
  resetKeys();
  inveptAll();
}
