/** The hardware of a stress program in terms of the platform's knobs, whose names and limits count. */
import { platformKnobs } from '../../platform/knobs.ts';
import type { KnobTable, KnobValue } from '../../spec/knob.ts';
import { StressMisuse } from './errors.ts';
import type { StressHardware, StressProgram } from './program.ts';
import { shown } from './shown.ts';

/** The knobs that a stress program has, by the field of `hardware` that they set. */
export const STRESS_KNOBS = {
  'hw.tdBit': 'tdBit',
  'hw.integrity': 'integrity',
  'hw.sharedIntegrity': 'sharedIntegrity',
  'hw.macBits': 'macBits',
  'hw.checkOrder': 'checkOrder',
  'hw.unprogrammedKey': 'unprogrammedKey',
  'cpu.erratum.pwMce': 'partialWriteErratum',
  'hw.aesBits': 'aesBits',
  'hw.cache.sets': 'cacheSets',
  'hw.cache.ways': 'cacheWays',
  'hw.cache.policy': 'cachePolicy',
  'hw.crypto': 'crypto',
  'hw.provenance': 'provenance',
} as const satisfies Readonly<Record<string, keyof StressHardware>>;

/** A knob of a stress program. */
export type StressKnob = keyof typeof STRESS_KNOBS;

/** A knob's value as the program has it: on and off are booleans there, a key length is a number. */
const FIELD_VALUES: Readonly<Record<string, boolean | number>> = { on: true, off: false, '128': 128, '256': 256 };

/** There is no CPU model that it could go by. */
const WITHOUT: KnobValue = 'by-model';

/** The knob's value as the field of `hardware` has it. */
export const fieldValue = (value: KnobValue): KnobValue => FIELD_VALUES[String(value)] ?? value;

const POWERS_OF_TWO: readonly string[] = ['hw.cache.sets', 'hw.cache.ways'];
const isPowerOfTwo = (value: number): boolean => value === 0 || Math.log2(value) % 1 === 0;

interface Rule {
  readonly takes: (value: unknown) => boolean;
  readonly text: string;
}

function ruleOf(name: string): Rule {
  const { values } = (platformKnobs as KnobTable)[name]!;
  if (!('min' in values)) {
    const valid = values.filter((value) => value !== WITHOUT).map(fieldValue);
    return { takes: (value) => valid.includes(value as KnobValue), text: either(valid.map(String)) };
  }
  const { min, max } = values;
  const within = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  if (!POWERS_OF_TWO.includes(name)) return { takes: within, text: `${min} to ${max}` };
  const zero = min === 0 ? '0 or ' : '';
  return { takes: (value) => within(value) && isPowerOfTwo(value), text: `${zero}a power of two up to ${max}` };
}

const either = (texts: readonly string[]): string => [texts.slice(0, -1).join(', '), texts.at(-1)].filter(Boolean).join(' or ');

/** Throws {@link StressMisuse} `HARDWARE` unless every knob takes its value. */
export function checkKnobs({ hardware }: StressProgram): void {
  for (const [name, field] of Object.entries(STRESS_KNOBS)) {
    const value = hardware[field];
    const { takes, text } = ruleOf(name);
    if (!takes(value))
      throw new StressMisuse(
        'HARDWARE',
        `${name} (hardware.${field}) ${typeof value === 'string' ? `'${shown(value)}'` : shown(value)}: give ${text}`,
      );
  }
}
