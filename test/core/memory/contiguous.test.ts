/** Where the core puts the pages of a range: side by side, so that one copy moves them. */
import { describe, expect, it } from 'vitest';
import { MAILBOX_SIZE } from '../../../assembly/layout.ts';
import { compileCore, instantiateCore } from '../../../bindings/compile.ts';
import { writeConfig } from '../../../bindings/config-struct.ts';
import { DEFAULT_CORE_CONFIG } from '../../../bindings/index.ts';

const MIB = 2 ** 20;
const WASM_PAGE = 65536;

/** The core's own exports, with at most `bytes` of Wasm memory. */
function machine(bytes: number): ReturnType<typeof instantiateCore> {
  const core = instantiateCore(compileCore());
  const mailbox = new DataView(core.memory.buffer, Number(core.mailbox.value), MAILBOX_SIZE);
  writeConfig(mailbox, DEFAULT_CORE_CONFIG, bytes / WASM_PAGE);
  core.init();
  return core;
}

describe('the new pages of a range', () => {
  it.each([1, 64, 300])('are one span: %i MiB', (size) => {
    const core = machine(2 ** 30);
    expect(core.planStore(0, 0, size * MIB, 0)).toBe(size * MIB);
    expect(core.spanCount()).toBe(1);
    expect(core.planLoad(0, 0, size * MIB, 0)).toBe(size * MIB);
    expect(core.spanCount()).toBe(1);
  });

  it('leave room for what else the machine needs', () => {
    const core = machine(64 * MIB);
    const planned = core.planStore(0, 0, 2 ** 30, 0);
    // Views, nodes of trees and the static data take the rest.
    expect(planned).toBeGreaterThan(48 * MIB);
    expect(planned).toBeLessThan(64 * MIB);
  });

  it('are asked for once: after a range a page takes no more than the usual chunk', () => {
    const core = machine(2 ** 30);
    for (let round = 0; round < 4; round++) expect(core.planStore(0, 0, 64 * MIB, 0)).toBe(64 * MIB);
    const before = core.memory.buffer.byteLength;
    // So many lines that they become a page.
    for (let line = 0; line < 64; line++) core.store_(0, 2 ** 40 + line * 64, 64, 0, Number(core.mailbox.value));
    expect(core.memory.buffer.byteLength - before).toBeLessThan(16 * MIB);
  });
});
