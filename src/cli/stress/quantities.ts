/** Counts and sizes, as people type and read them. */

const NUMBER = String.raw`(?<number>(?:\d+(?:_\d+)*(?:\.\d+)?(?:e\+?\d{1,2})?|0x[\da-f]{1,16}))`;
const COUNT = new RegExp(`^${NUMBER}(?<unit>[kmgt]?)$`, 'i');
const SIZE = new RegExp(`^${NUMBER} ?(?<unit>|b|[kmgtp](?:ib)?)$`, 'i');

const COUNT_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

function parse(text: string, form: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const { number, unit } = form.exec(text.trim())?.groups ?? {};
  if (number === undefined || unit === undefined) return undefined;
  const value = Number(number.replaceAll('_', '')) * units[unit.slice(0, 1).toLowerCase()]!;
  return Number.isInteger(value) ? value : undefined;
}

/** `1000000`, `1_000_000`, `1e6`, `10M` (decimal); undefined when it is no whole number. May be larger than a double counts. */
export const parseCount = (text: string): number | undefined => parse(text, COUNT, COUNT_UNITS);

/** Bytes: `4096`, `0x1000`, `64GiB`, `64G`, `1.5MiB` (binary); undefined when it is no whole number of bytes. */
export const parseSize = (text: string): number | undefined => parse(text, SIZE, SIZE_UNITS);

/** What to write instead of a text that is no size. */
export function sizeAdvice(text: string): string {
  // Decimal units are a thousand, ours 1024: who writes them may mean either.
  const decimal = /[kmgtp](?=b$)/i.exec(text)?.[0].toUpperCase();
  if (decimal !== undefined) return `binary units: write ${decimal}iB for 1024s`;
  return 'a whole number of bytes such as 64GiB, 512MiB or 4096 (units: KiB, MiB, GiB, TiB, PiB)';
}

export const grouped = (value: number): string => value.toLocaleString('en');

/** Three digits and a decimal unit: `42.7 M`. */
export function short(value: number): string {
  return scaled(value, 1000, ['', ' k', ' M', ' G', ' T', ' P']);
}

/** Three digits and a binary unit: `1.25 GiB`. */
export function bytes(value: number): string {
  return scaled(value, 1024, [' bytes', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB']);
}

/** Bytes without rounding, in the largest unit that divides them: `64 GiB`, `1028 KiB`. */
export function exactBytes(value: number): string {
  let unit = 0;
  let count = value;
  for (; count >= 1024 && count % 1024 === 0 && unit < 5; unit++) count /= 1024;
  return `${count} ${['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]}`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  // 999.6 is 1.00 of the next unit already.
  for (; Math.round(rest) >= base && unit < units.length - 1; unit++) rest /= base;
  return `${unit === 0 ? Math.round(rest) : rest.toFixed(rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0)}${units[unit]}`;
}

const SECOND = { unit: 's', seconds: 1 };
const MINUTE = { unit: 'min', seconds: 60 };
const HOUR = { unit: 'h', seconds: 3600 };
const DAY = { unit: 'd', seconds: 86_400 };
const TWO_UNITS = [
  [DAY, HOUR],
  [HOUR, MINUTE],
  [MINUTE, SECOND],
] as const;

/** `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const units = TWO_UNITS.find(([large]) => whole >= large.seconds);
  if (!units) return `${whole} s`;
  const [large, small] = units;
  const rest = Math.floor((whole % large.seconds) / small.seconds);
  return `${Math.floor(whole / large.seconds)} ${large.unit} ${rest} ${small.unit}`;
}

/** Decimals of a percentage in a column. */
const DECIMALS = 4;

/** Part of a whole in percent, for a column: always as many decimals. */
export function alignedPercent(part: number, whole: number): string {
  const value = whole === 0 ? 0 : (100 * part) / whole;
  const least = 10 ** -DECIMALS;
  return part > 0 && value < least ? `<${least.toFixed(DECIMALS)} %` : `${value.toFixed(DECIMALS)} %`;
}

/** `1 shard`, `16 shards`. */
export const counted = (count: number, what: string): string => `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;

/** Part of a whole in percent, with as many digits as it takes to see it. */
export function percent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  return `${Number(((100 * part) / whole).toPrecision(3))} %`;
}
