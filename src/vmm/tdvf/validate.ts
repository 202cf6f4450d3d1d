import { FirmwareError, type FirmwareErrorCode, hex, PREPEND_VARS } from './errors.ts';
import {
  FOUR_GIB,
  PAGE_AUG,
  PAGE_BYTES,
  SECTION_RULES,
  SECTION_TYPE,
  type SectionRule,
  type TdvfSection,
  type TdvfSectionRecord,
} from './layout.ts';

/** The highest private GPA is below the shared bit, at most bit 51 (GPAW 52). */
const GPA_LIMIT = 2n ** 51n;
/** A TD's memory at build time is added page by page; more than this in one image is a mistake. */
export const MAX_ADDED_BYTES = 2 ** 30;
/** TDX module, VP.INIT: every vCPU starts here. */
export const RESET_VECTOR = FOUR_GIB - 16;

interface Subject extends TdvfSectionRecord {
  readonly rule: SectionRule;
  readonly imageSize: number;
  /** Bytes the image is short of what its sections point to, when that is just what the CFV sections occupy. */
  readonly missingVars: number;
}

interface SectionCheck {
  readonly code: FirmwareErrorCode;
  fails(s: Subject): boolean;
  says(s: Subject): string;
}

const isPages = (value: bigint) => value % BigInt(PAGE_BYTES) === 0n;

/** The checks of one section by itself, in order. */
const SECTION_CHECKS: readonly SectionCheck[] = [
  {
    code: 'unknown-type',
    fails: (s) => s.rule === undefined,
    says: (s) => `has the unknown type ${s.type}: types 0 (BFV) to ${SECTION_RULES.length - 1} (TdParams) are known`,
  },
  {
    code: 'code-without-vars',
    fails: (s) => rawEnd(s) > s.imageSize && s.missingVars > 0,
    says: (s) =>
      `ends at image offset ${hex(rawEnd(s))}, ${hex(s.missingVars)} bytes past the end: this is a CODE file without its VARS; ${PREPEND_VARS}`,
  },
  {
    code: 'section-out-of-image',
    fails: (s) => rawEnd(s) > s.imageSize,
    says: (s) =>
      `ends at image offset ${hex(rawEnd(s))}, past the image's ${hex(s.imageSize)} bytes: the file is cut short, or a CODE file alone (then ${PREPEND_VARS})`,
  },
  {
    code: 'bad-attributes',
    fails: (s) => (s.attributes & ~s.rule.allowed) !== 0 || (s.attributes & s.rule.required) !== s.rule.required,
    says: (s) => `has attributes ${hex(s.attributes)}, which its type does not allow: ${attributeAdvice(s.rule)}`,
  },
  {
    code: 'raw-data-missing',
    fails: (s) => s.rule.raw === 'required' && s.rawDataSize === 0,
    says: () => 'has no raw data: its contents must be in the image',
  },
  {
    code: 'raw-data-forbidden',
    fails: (s) => s.rule.raw === 'forbidden' && s.rawDataSize !== 0,
    says: (s) => `has ${hex(s.rawDataSize)} bytes of raw data: the VMM provides its contents, the size must be 0`,
  },
  {
    code: 'memory-forbidden',
    fails: (s) => !s.rule.memory && (s.memoryAddress !== 0n || s.memoryDataSize !== 0n),
    says: () => 'has a memory range: it is read from the image only, address and size must be 0',
  },
  {
    code: 'memory-missing',
    fails: (s) => s.rule.memory && s.memoryDataSize === 0n,
    says: () => 'has a memory size of 0: give it at least one page',
  },
  {
    code: 'address-out-of-range',
    fails: (s) => s.memoryAddress + s.memoryDataSize > GPA_LIMIT,
    says: (s) => `ends at GPA ${hex(s.memoryAddress + s.memoryDataSize)}: no private address is above ${hex(GPA_LIMIT)}`,
  },
  {
    code: 'unaligned',
    fails: (s) => !isPages(s.memoryAddress) || !isPages(s.memoryDataSize),
    says: (s) => `is at GPA ${hex(s.memoryAddress)} with ${hex(s.memoryDataSize)} bytes: both must be multiples of 4 KiB`,
  },
  {
    code: 'raw-exceeds-memory',
    fails: (s) => s.rule.memory && BigInt(s.rawDataSize) > s.memoryDataSize,
    says: (s) =>
      `has ${hex(s.rawDataSize)} bytes of raw data for ${hex(s.memoryDataSize)} bytes of memory: enlarge the memory size`,
  },
];

/**
 * Checks every section by itself, in the descriptor's order.
 * @throws {FirmwareError}
 */
export function checkRecords(records: readonly TdvfSectionRecord[], imageSize: number): void {
  const missingVars = missingVarsBytes(records, imageSize);
  records.forEach((record, index) => {
    const rule = SECTION_RULES[record.type];
    const subject = { ...record, rule, imageSize, missingVars };
    const failed = SECTION_CHECKS.find((check) => check.fails(subject));
    if (failed) throw new FirmwareError(failed.code, `section ${index}${rule ? ` (${rule.name})` : ''} ${failed.says(subject)}`);
  });
}

/** Where the section's raw data ends in the image; without raw data its offset means nothing. */
function rawEnd(section: { readonly dataOffset: number; readonly rawDataSize: number }): number {
  return section.rawDataSize === 0 ? 0 : section.dataOffset + section.rawDataSize;
}

/** A CODE file is short of its image by exactly the configuration volumes that would stand before it. */
function missingVarsBytes(records: readonly TdvfSectionRecord[], imageSize: number): number {
  const missing = records.reduce((end, record) => Math.max(end, rawEnd(record)), 0) - imageSize;
  const vars = records.reduce((sum, record) => sum + (record.type === SECTION_TYPE.CFV ? record.rawDataSize : 0), 0);
  return missing === vars ? missing : 0;
}

function attributeAdvice(rule: SectionRule): string {
  if (rule.required === PAGE_AUG) return 'it must have PAGE.AUG (2) and nothing else';
  return rule.allowed === 0 ? 'they must be 0' : 'only MR.EXTEND (1) may be set';
}

interface ImageCheck {
  readonly code: FirmwareErrorCode;
  /** The message when the check fails. */
  says(sections: readonly TdvfSection[]): string | undefined;
}

/** The checks of the sections against each other, in order. */
const IMAGE_CHECKS: readonly ImageCheck[] = [
  { code: 'duplicate-section', says: duplicate },
  {
    code: 'missing-bfv',
    says: (all) =>
      count(all, SECTION_TYPE.BFV) > 0 ? undefined : 'there is no BFV section: a TD has no code to start with; add one',
  },
  {
    code: 'missing-td-hob',
    says: (all) =>
      count(all, SECTION_TYPE.TD_HOB) + count(all, SECTION_TYPE.PERM_MEM) > 0
        ? undefined
        : 'there is neither a TD_HOB nor a PermMem section: the TD would not learn its memory; add a TD_HOB',
  },
  {
    code: 'payload-missing',
    says: (all) =>
      count(all, SECTION_TYPE.PAYLOAD) >= count(all, SECTION_TYPE.PAYLOAD_PARAM)
        ? undefined
        : 'there is a PayloadParam section without a Payload section: add the Payload or remove it',
  },
  { code: 'td-info-outside-bfv', says: strayTdInfo },
  { code: 'memory-overlap', says: overlap },
  { code: 'too-much-memory', says: tooMuchMemory },
  { code: 'no-reset-vector', says: noResetVector },
];

/**
 * Checks the sections against each other, each having passed its own checks.
 * @throws {FirmwareError}
 */
export function checkImage(sections: readonly TdvfSection[]): void {
  for (const { code, says } of IMAGE_CHECKS) {
    const message = says(sections);
    if (message !== undefined) throw new FirmwareError(code, message);
  }
}

function count(sections: readonly TdvfSection[], type: number): number {
  return sections.filter((s) => s.type === type).length;
}

function duplicate(sections: readonly TdvfSection[]): string | undefined {
  const type = SECTION_RULES.findIndex((rule, i) => count(sections, i) > rule.max);
  return type < 0
    ? undefined
    : `there are ${count(sections, type)} ${SECTION_RULES[type].name} sections: an image may have only one`;
}

/** td-shim: TdInfo is measured as a part of the BFV that contains it. */
function strayTdInfo(sections: readonly TdvfSection[]): string | undefined {
  const info = sections.find((s) => s.type === SECTION_TYPE.TD_INFO);
  if (!info) return undefined;
  const contains = (s: TdvfSection) => s.dataOffset <= info.dataOffset && rawEnd(info) <= rawEnd(s);
  if (sections.some((s) => s.type === SECTION_TYPE.BFV && contains(s))) return undefined;
  return `section ${info.index} (TdInfo) lies outside the BFV's raw data: it would not be measured; move it inside`;
}

function overlap(sections: readonly TdvfSection[]): string | undefined {
  const byAddress = sections.filter((s) => s.memoryDataSize > 0).sort((a, b) => a.memoryAddress - b.memoryAddress);
  const at = byAddress.findIndex((s, i) => i > 0 && memoryEnd(byAddress[i - 1]) > s.memoryAddress);
  if (at < 0) return undefined;
  const [first, second] = byAddress.slice(at - 1, at + 1).map((s) => `section ${s.index} (${s.name})`);
  return `the memory of ${first} and ${second} overlaps at GPA ${hex(byAddress[at].memoryAddress)}: move one, a page is added once`;
}

function tooMuchMemory(sections: readonly TdvfSection[]): string | undefined {
  const added = sections.reduce((sum, s) => sum + ((s.attributes & PAGE_AUG) === 0 ? s.memoryDataSize : 0), 0);
  if (added <= MAX_ADDED_BYTES) return undefined;
  return `the sections add ${hex(added)} bytes of memory to the TD before it runs, the limit is 1 GiB: use PermMem for the rest`;
}

function noResetVector(sections: readonly TdvfSection[]): string | undefined {
  const covers = (s: TdvfSection) => s.memoryAddress <= RESET_VECTOR && RESET_VECTOR < memoryEnd(s);
  if (sections.some((s) => s.type === SECTION_TYPE.BFV && covers(s))) return undefined;
  return `no BFV section covers GPA ${hex(RESET_VECTOR)}, where a TD starts: the BFV must end at 4 GiB`;
}

function memoryEnd(section: TdvfSection): number {
  return section.memoryAddress + section.memoryDataSize;
}
