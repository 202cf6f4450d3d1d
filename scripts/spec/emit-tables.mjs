// The big tables: metadata fields, MSRs, CPUID, VM exits. Rows are text, read when first asked for.
import { constants, header, key, pack, quote } from './text.mjs';

const rows = (lines) => `\`\n${lines.join('\n')}\``;
const bare = (value) => BigInt(value).toString(16);

function metadata(spec) {
  const contexts = ['SYS', 'TD', 'VP'].map((ctx) => {
    const ids = spec[ctx].map(([name, id]) => [name, `0x${BigInt(id).toString(16).padStart(16, '0')}n`]);
    const lines = spec[ctx].map(([, , fields, elements, masks, offset, special]) =>
      [fields, elements, offset ? bare(offset) : '-', special || '-', masks.replaceAll('0x', '')].join(' '),
    );
    return `${constants(`MD_${ctx}`, ids, `Field ids of the ${ctx} context (for an array: of its first element).`)}
/** fields, elements, offset, special access, masks; in the order of MD_${ctx}. */
export const MD_${ctx}_ROWS = ${rows(lines)};
`;
  });
  return `${header('metadata')}${contexts.join('\n')}`;
}

function msr(spec) {
  const lines = spec.virtualisation.map(([name, first, last, read, write]) =>
    [bare(first), bare(last), read, write, name].join(' '),
  );
  return `${header('msr')}${constants(
    'MSR',
    spec.numbers.map(([name, n]) => [name, n]),
    'MSR numbers.',
  )}
/** What the conditions in {@link MSR_ROWS} ask. */
export const MSR_CONDITIONS = {
${spec.conditions.map(([name, text]) => `  ${key(name)}: ${quote(text)},`).join('\n')}
} as const;

/** first, last, RDMSR, WRMSR (native | ve | gp | emulated | condition?yes:no), name. */
export const MSR_ROWS = ${rows(lines)};
`;
}

function cpuid(spec) {
  const masks = ['fixed1', 'fixed0_or_dynamic', 'verify_mask', 'verify_value', 'verify_same'];
  const sub = (s) => (s === null ? '*' : bare(s));
  const lines = spec.entries.map((e) =>
    e.ve
      ? `${bare(e.leaf)} ${sub(e.subleaf)} ve`
      : `${bare(e.leaf)} ${sub(e.subleaf)} - ${masks.map((m) => e[m].replaceAll(' ', ',')).join(' ')}`,
  );
  const bits = spec.entries.flatMap((e, i) =>
    (e.bits ?? []).map(([reg, hi, lo, type, detail]) => [i, reg, hi, lo, type, type === 'xfam' ? detail.join(',') : detail]),
  );
  const rules = spec.entries.flatMap((e, i) => (e.rule ? [[i, e.rule]] : []));
  return `${header('cpuid')}/** leaf, subleaf (* = any), then ve or five masks of EAX,EBX,ECX,EDX: ${masks.join(', ')}; the row number is the lookup index. */
export const CPUID_ROWS = ${rows(lines)};

/** Configurable leaves in the order of TDSYSINFO_STRUCT: leaf, subleaf, lookup index, config_direct, allow_direct. */
export const CPUID_CONFIG_ROWS = ${rows(
    spec.config.map(([leaf, subleaf, index, direct, allow]) =>
      [bare(leaf), sub(subleaf), index, direct.replaceAll(' ', ','), allow.replaceAll(' ', ',')].join(' '),
    ),
  )};

/** Bits with a rule of their own: lookup index, register, high, low, kind, and what it depends on (xfam: the bits that must all be 1). */
export const CPUID_BITS: readonly (readonly [number, 'eax' | 'ebx' | 'ecx' | 'edx', number, number, 'dynamic' | 'calculated' | 'attributes' | 'xfam', string])[] = [
${bits.map(([i, reg, hi, lo, type, detail]) => `  [${i}, ${quote(reg)}, ${hi}, ${lo}, ${quote(type)}, ${quote(detail)}],`).join('\n')}
];

/** Rules over a whole leaf, by lookup index. */
export const CPUID_RULES: ReadonlyMap<number, string> = new Map([
${rules.map(([i, rule]) => `  [${i}, ${quote(rule)}],`).join('\n')}
]);

${constants(
  'CPUID_LIMIT',
  Object.entries(spec.limits).map(([k, v]) => [k, v]),
  'Ranges of leaves.',
)}
/** Family/model/stepping that a migratable TD may be given, newest first: name, raw value with stepping 0, highest stepping. */
export const CPUID_FMS: readonly (readonly [string, number, number])[] = [
${pack(spec.fms.map(([name, raw, max]) => `[${quote(name)}, ${raw}, ${max}]`))}
];
`;
}

function exits(spec) {
  return `${header('exits')}${constants(
    'EXIT_REASON',
    spec.exits.map(([n, name]) => [name, `${n}`]),
    'Basic VM-exit reasons, with the names that the module uses.',
  )}
export type ExitReasonName = keyof typeof EXIT_REASON;

/** Names by reason. */
export const EXIT_REASON_NAMES: ReadonlyMap<number, ExitReasonName> = new Map(
  Object.entries(EXIT_REASON).map(([name, reason]) => [reason, name as ExitReasonName]),
);

/**
 * What the module does with an exit of L1: \`async\` TD exit with success; \`unexpected\`: TD exit, success for a debug TD, else
 * TDX_NON_RECOVERABLE_TD; \`ve\`, \`ud\`, \`gp\`: injects that exception; \`own-rule\`: a handler of its own.
 */
export type L1Outcome = ${[...new Set(spec.exits.map(([, , o]) => o))].map(quote).join(' | ')};

export const L1_OUTCOME: Readonly<Record<ExitReasonName, L1Outcome>> = {
${spec.exits.map(([, name, outcome]) => `  ${name}: ${quote(outcome)},`).join('\n')}
};
`;
}

export function emit(read) {
  return {
    'src/spec/metadata-tables.ts': metadata(read('metadata')),
    'src/spec/msr-tables.ts': msr(read('msr')),
    'src/spec/cpuid-tables.ts': cpuid(read('cpuid')),
    'src/spec/exits.ts': exits(read('exits')),
  };
}
