// An asc transform for the release build: a bound on what is inlined in more than one place. asc's own for -O3 is 70; below 50 the hot
// calls get slower, at 70 the module is a sixth bigger and past the 64 KiB it may have.
import { Transform } from 'assemblyscript/transform';

const FLEXIBLE_INLINE_MAX_SIZE = 50;

export default class InlineLimits extends Transform {
  afterCompile() {
    const { module } = this.program;
    const set = module.setFlexibleInlineMaxSize;
    module.setFlexibleInlineMaxSize = () => set.call(module, FLEXIBLE_INLINE_MAX_SIZE);
  }
}
