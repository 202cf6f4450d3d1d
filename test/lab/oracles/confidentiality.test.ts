/** The confidentiality oracle against a module that keeps its secret, and against the same module with one rule broken. */
import { describe, expect, it } from 'vitest';
import { ConfidentialityWatch, type Finding } from '../../../src/lab/oracles/index.ts';
import {
  GPR,
  type LogicalProcessor,
  Platform,
  type PlatformOptions,
  type SeamSoftware,
  type Software,
  smallMap,
} from '../../../src/platform/index.ts';
import { Probe } from '../../../src/platform/probe.ts';

const SECRET = 0x5ec3_e7c0_ffee_1234n;
const PAGE = 0x4000_0000;
const BUFFER = 0x5000_0000;
const KEY_ID = 20;

type Leak = 'none' | 'register' | 'shared-copy' | 'unencrypted';

/** Holds a secret in a private page; every call works with it. */
class Keeper implements SeamSoftware {
  readonly #leak: Leak;
  constructor(leak: Leak) {
    this.#leak = leak;
  }
  *call(lp: LogicalProcessor): Software {
    lp.pconfig(KEY_ID, this.#leak === 'unencrypted' ? 'no-encrypt' : 'random');
    lp.platform.core.mailbox.u64.fill(SECRET, 0, 8);
    lp.movdir64b(PAGE, KEY_ID);
    const secret = lp.load64(PAGE, KEY_ID);
    if (this.#leak === 'register') lp.gpr[GPR.R8] = secret;
    if (this.#leak === 'shared-copy') lp.store64(BUFFER, secret);
    lp.gpr[GPR.RAX] = 0n;
    yield 'lock';
  }
}

/** A call, then a host that reads what it can: `look` says how. */
function findings(
  leak: Leak,
  look: (lp: LogicalProcessor, platform: Platform) => void = () => {},
): { found: Finding[]; watch: ConfidentialityWatch } {
  const options: PlatformOptions = { memoryMap: smallMap };
  const platform = new Platform(options);
  const watch = new ConfidentialityWatch(new Probe(platform), [SECRET]);
  platform.seam.range = smallMap.seamrr;
  platform.seam.module = new Keeper(leak);
  const lp = platform.lps[0]!;
  const task = platform.scheduler.spawn(
    lp,
    'host',
    (function* () {
      lp.vmxon();
      yield* lp.seamcall();
      lp.load64(PAGE);
      lp.loadBytes(BUFFER, 64);
      look(lp, platform);
    })(),
  );
  platform.scheduler.run();
  expect(task.state).toBe('done');
  return { found: watch.findings([{ base: PAGE, size: 4096 }]), watch };
}

describe('confidentiality', () => {
  it('has nothing to say while the secret is kept, and did look', () => {
    const { found, watch } = findings('none', (_, { dma }) => {
      dma.read(PAGE, new Uint8Array(64));
    });
    expect(found).toEqual([]);
    expect(watch.checked).toMatchObject({ canaries: 1, busLines: 64, secretLines: 1, hostSights: 4 });
  });

  it('[SX-05] sees a secret that the module leaves in a register', () => {
    const { found } = findings('register');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ oracle: 'confidentiality', severity: 'violation', event: 1 });
    expect(found[0]!.text).toMatch(/registers/);
  });

  it('[SX-05] sees a secret that the module copies to memory of the host: by load, by narrow loads, by DMA', () => {
    expect(findings('shared-copy').found[0]).toMatchObject({ pa: BUFFER });
    const narrow = findings('shared-copy', (lp) => {
      for (let at = 0; at < 8; at += 2) lp.load16(BUFFER + at);
    });
    expect(narrow.found).toHaveLength(2);
    const dma = findings('shared-copy', (_, platform) => {
      platform.dma.read(BUFFER - 3, new Uint8Array(32));
    });
    expect(dma.found.map(({ text }) => text)).toContainEqual(expect.stringMatching(/a device read/));
  });

  it('[SX-05] sees a secret on the memory bus when the KeyID does not encrypt', () => {
    const { found } = findings('unencrypted');
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ text }) => /memory bus/.test(text))).toBe(true);
  });

  it('refuses canaries that occur by accident', () => {
    const watch = new ConfidentialityWatch(new Probe(new Platform({ memoryMap: smallMap })));
    expect(() => watch.add([0n])).toThrow(RangeError);
    expect(() => watch.add([5n])).toThrow(RangeError);
  });
});
