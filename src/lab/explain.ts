import type { Displacement, FaultRecord, MachineEvent, Probe } from '../platform/probe.ts';

export type CausalRole =
  /** Wrote what the line should still hold. */
  | 'displaced-write'
  /** Wrote what lay in DRAM when the check fired. */
  | 'write'
  /** Put the one over the other. */
  | 'displacement'
  /** Changed the line past all access rights. */
  | 'tampering'
  | 'check'
  | 'poison'
  | 'machine-check'
  /** What became of the processor that met it. */
  | 'consequence';

/** One link: what happened to the line, and the event that did it. */
export interface CausalStep {
  readonly role: CausalRole;
  /** Event id; 0 when nobody since power-on. */
  readonly event: number;
  /** Logical processor, -1 for the platform. */
  readonly lp: number;
  /** Virtual nanoseconds at which the event began. */
  readonly t: number;
  readonly text: string;
  /** Line address in bytes. */
  readonly pa: number;
  /** KeyID of the access, or under which the line is stored. */
  readonly keyId: number;
  readonly tdBit: boolean;
}

/** A machine check: the core's record, and the event in which poison was consumed. */
export interface Failure {
  readonly fault: FaultRecord;
  readonly event: number;
}

const LINE = 64;

/**
 * Why a machine check happened, oldest link first, out of provenance alone: the fault record, the displacement log of the line and the event
 * log. Nothing here knows a scenario.
 */
export function explain(probe: Probe, { fault, event }: Failure): CausalStep[] {
  const teller = new Teller(probe, fault);
  const overwrite = findOverwrite(probe.displacements(fault.pa), fault);
  return [
    ...teller.writes(overwrite),
    ...teller.tampering(),
    ...teller.poisoning(event),
    teller.machineCheck(event),
    ...teller.consequence(event),
  ];
}

/** The chain as numbered lines of text. */
export const renderChain = (chain: readonly CausalStep[]): string[] =>
  chain.map(({ t, text }, i) => `${String(i + 1).padStart(2)}. ${nanoseconds(t).padStart(15)}  ${text}`);

const nanoseconds = (t: number): string => `${t.toLocaleString('en-US')} ns`;

/** The displacement that left the line as the check found it: the newest with the same writer, else with the same state. */
function findOverwrite(log: readonly Displacement[], fault: FaultRecord): Displacement | undefined {
  const sameState = log.filter(({ keyId, tdBit }) => keyId === fault.storedKeyId && tdBit === fault.storedTdBit);
  return sameState.findLast(({ writer }) => writer === fault.writer) ?? sameState.at(-1);
}

const underKey = (keyId: number, tdBit: boolean): string => `under KeyID ${keyId} (TD bit ${tdBit ? 1 : 0})`;
const DIRECT: ReadonlySet<Displacement['cause']> = new Set(['movdir64b', 'nt-store', 'uc-store', 'dma']);

class Teller {
  readonly #probe: Probe;
  readonly #fault: FaultRecord;
  readonly #line: string;
  readonly #told = new Set<number>();

  constructor(probe: Probe, fault: FaultRecord) {
    this.#probe = probe;
    this.#fault = fault;
    this.#line = `0x${fault.pa.toString(16)}`;
  }

  step(role: CausalRole, event: number, keyId: number, tdBit: boolean, tell: (who: string) => string): CausalStep {
    const record = this.#probe.events.get(event);
    const { pa } = this.#fault;
    return { role, event, lp: record?.lp ?? -1, t: record?.start ?? 0, text: tell(this.#who(record)), pa, keyId, tdBit };
  }

  /** Both writers, in the order in which they wrote, and how the second came to lie over the first. */
  writes(overwrite: Displacement | undefined): CausalStep[] {
    const { storedKeyId, storedTdBit, writer } = this.#fault;
    const wrote = (role: CausalRole, event: number, keyId: number, tdBit: boolean): CausalStep =>
      this.step(role, event, keyId, tdBit, (who) => `${who} wrote line ${this.#line} ${underKey(keyId, tdBit)}`);
    const steps = [wrote('write', writer, storedKeyId, storedTdBit)];
    if (!overwrite) return steps;
    const { displacedWriter, displacedKeyId, displacedTdBit, cause, event } = overwrite;
    if (displacedWriter > 0) steps.push(wrote('displaced-write', displacedWriter, displacedKeyId, displacedTdBit));
    steps.sort((a, b) => a.event - b.event);
    const isTheWriteItself = DIRECT.has(cause) && event === overwrite.writer;
    if (isTheWriteItself) return steps;
    const how = `${underKey(overwrite.keyId, overwrite.tdBit)} over what was stored ${underKey(displacedKeyId, displacedTdBit)}`;
    return [
      ...steps,
      this.step('displacement', event, overwrite.keyId, overwrite.tdBit, (who) => `${cause} during ${who} put the line ${how}`),
    ];
  }

  tampering(): CausalStep[] {
    const { pa, writer, storedKeyId, storedTdBit } = this.#fault;
    return this.#probe.events.events
      .filter(({ kind, name, args, id }) => kind === 'attack' && name !== 'evict' && lineOf(args.pa) === pa && id > writer)
      .map(({ id, name, args }) =>
        this.step(
          'tampering',
          id,
          storedKeyId,
          storedTdBit,
          (who) => `${who}: ${[name, args.what, args.bit].filter((x) => x !== undefined).join(' ')}`,
        ),
      );
  }

  /** The check and the poison it made. An origin that the controller does not know has no check. */
  poisoning(consumer: number): CausalStep[] {
    const { check, poisonedBy, storedKeyId, storedTdBit } = this.#fault;
    if (check === 'poison' || check === 'none') return [];
    const verdict = CHECK_TEXT[check](this.#fault);
    const waited = poisonedBy === consumer ? '' : '; nothing was reported, and it stayed poisoned until somebody read it';
    return [
      this.step('check', poisonedBy, storedKeyId, storedTdBit, (who) => `${who}: ${verdict}`),
      this.step('poison', poisonedBy, storedKeyId, storedTdBit, () => `line ${this.#line} is poisoned${waited}`),
    ];
  }

  /** Software that no event is open for is known by the exception it got. */
  machineCheck(event: number): CausalStep {
    const { keyId, storedTdBit } = this.#fault;
    const handler = this.#handler(event);
    const consumed = `consumed the poison through KeyID ${keyId}: #MC`;
    if (event > 0 || handler === undefined)
      return this.step('machine-check', event, keyId, storedTdBit, (who) => `${who} ${consumed}`);
    return this.step('machine-check', handler.id, keyId, storedTdBit, () => `LP ${handler.lp} ${consumed}`);
  }

  consequence(event: number): CausalStep[] {
    const { keyId, storedTdBit } = this.#fault;
    const record = this.#probe.events.get(event);
    const handler = this.#handler(event);
    const lp = record?.lp ?? handler?.lp ?? -1;
    const shutdown = this.#probe.seamShutdown();
    const tell = (text: string): CausalStep[] => [this.step('consequence', handler?.id ?? event, keyId, storedTdBit, () => text)];
    if (shutdown?.event === event) return tell(`LP ${lp} was in SEAM root: unbreakable shutdown; it never returns`);
    if (record?.kind === 'td-run') return tell('a TD was running: the TD exits with the machine check and is marked fatal');
    return this.#probe.stoppedBy(lp) === 'panic' ? tell(`LP ${lp} ran the kernel: panic`) : [];
  }

  /** The exception that followed. */
  #handler(event: number): MachineEvent | undefined {
    const lp = this.#probe.events.get(event)?.lp;
    return this.#probe.events.events
      .slice(event)
      .find(
        (next) => next.kind === 'exception' && lineOf(next.args.pa) === this.#fault.pa && (lp === undefined || next.lp === lp),
      );
  }

  /** An event is placed where it is mentioned first. */
  #who(record: MachineEvent | undefined): string {
    if (!record) return 'nobody since power-on';
    const name = record.kind === 'attack' ? 'an attacker' : record.name;
    const label = `${name} [event ${record.id}]`;
    if (this.#told.has(record.id)) return label;
    this.#told.add(record.id);
    const [, ...outer] = this.#probe.events.ancestry(record.id);
    const where = [...(record.lp < 0 ? [] : [`on LP ${record.lp}`]), ...outer.map((event) => `in ${event.name}`)];
    return where.length > 0 ? `${label} ${where.join(', ')},` : label;
  }
}

const lineOf = (pa: string | number | undefined): number => {
  const address = Number(pa ?? -1);
  return address - (address % LINE);
};

const CHECK_TEXT: Record<Exclude<FaultRecord['check'], 'none' | 'poison'>, (fault: FaultRecord) => string> = {
  'td-bit': ({ keyId, storedTdBit, macWouldFire }) =>
    `a read through KeyID ${keyId} met TD bit ${storedTdBit ? 1 : 0}: the TD-bit check fired; ${macText(macWouldFire)}`,
  mac: ({ keyId, tdBitWouldFire }) =>
    `a read through KeyID ${keyId} found a wrong MAC: the MAC check fired; the TD bit ${tdBitWouldFire ? 'was wrong too' : 'was right'}`,
  'unprogrammed-key': ({ keyId }) => `KeyID ${keyId} has no key on the package that owns the line`,
  'partial-write': ({ storedKeyId, storedTdBit }) =>
    `a partial write from outside a TD met a line ${underKey(storedKeyId, storedTdBit)}: the erratum poisons it silently`,
};

/** A MAC that was wrong and did not fire was not looked at. */
const macText = (macWouldFire: boolean | null): string => {
  if (macWouldFire === null) return 'no MAC is kept';
  return macWouldFire ? 'the MAC was not looked at (it would have failed too)' : 'the MAC would have passed';
};
