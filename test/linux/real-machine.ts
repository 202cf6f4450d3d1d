import { powerOn } from '../../src/firmware/index.ts';
import { Kernel } from '../../src/linux/index.ts';
import { Platform, type PlatformOptions, smallMap } from '../../src/platform/index.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import { TdxModule } from '../../src/tdx-module/index.ts';

export interface RealMachine {
  readonly platform: Platform;
  readonly module: TdxModule;
  readonly kernel: Kernel;
}

/** A machine after real firmware, with the real module, and a kernel that has not booted. */
export const realMachine = (knobs: Readonly<Record<string, KnobValue>> = {}, options: PlatformOptions = {}): RealMachine => {
  const platform = new Platform({ memoryMap: smallMap, lpsPerPackage: 2, knobs, ...options });
  let module: TdxModule | undefined;
  const task = platform.scheduler.spawn(
    platform.lps[0]!,
    'firmware',
    powerOn(platform, {
      createModule: (info) => {
        module = new TdxModule(platform, info, knobs);
        return module;
      },
    }),
  );
  platform.scheduler.run([task]);
  if (!module) throw new Error(`firmware did not load the module: ${JSON.stringify(task.outcome)}`);
  return { platform, module, kernel: new Kernel(platform, knobs) };
};
