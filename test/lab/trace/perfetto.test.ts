/** The trace against the documented Trace Event Format, and the trace hash. */
import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/lab/explain.ts';
import { TRACE_SCHEMA, traceHash, writeTrace } from '../../../src/lab/trace/index.ts';
import {
  EventLog,
  GPR,
  type LogicalProcessor,
  type MachineEvent,
  Platform,
  type Software,
  smallMap,
} from '../../../src/platform/index.ts';
import { TDG, TDH } from '../../../src/spec/leaves.ts';
import { booted, poweredOn } from '../world.ts';

interface TraceEvent {
  readonly ph: 'M' | 'X' | 's' | 't' | 'f';
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: number;
  readonly bp?: string;
  readonly args: Readonly<Record<string, string | number>>;
}
interface Trace {
  readonly displayTimeUnit: string;
  readonly otherData: Readonly<Record<string, string | number>>;
  readonly traceEvents: readonly TraceEvent[];
}

function written(...input: Parameters<typeof writeTrace> extends [infer E, infer C, ...unknown[]] ? [E, C] : never): {
  trace: Trace;
  chunks: string[];
} {
  const chunks: string[] = [];
  writeTrace(input[0], input[1], (chunk) => chunks.push(chunk));
  return { trace: JSON.parse(chunks.join('')) as Trace, chunks };
}
const ns = (us: number): number => Math.round(us * 1000);
const track = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;
const slicesOf = ({ traceEvents }: Trace): TraceEvent[] => traceEvents.filter(({ ph }) => ph === 'X');

/** Required fields by phase, and slices of one track that nest: each ends before what is open around it ends. */
function expectValid(trace: Trace): void {
  for (const event of trace.traceEvents) {
    expect(event).toMatchObject({
      name: expect.any(String),
      pid: expect.any(Number),
      tid: expect.any(Number),
      args: expect.any(Object),
    });
    if (event.ph === 'M') continue;
    expect(event.ts).toBeGreaterThanOrEqual(0);
    expect(event.cat).toEqual(expect.any(String));
    if (event.ph === 'X') expect(event.dur).toBeGreaterThanOrEqual(0);
  }
  const open = new Map<string, number[]>();
  for (const event of slicesOf(trace)) {
    const ends = open.get(track(event)) ?? [];
    open.set(track(event), ends);
    const start = ns(event.ts!);
    while (ends.length > 0 && ends.at(-1)! <= start) ends.pop();
    if (ends.length > 0) expect(start + ns(event.dur!)).toBeLessThanOrEqual(ends.at(-1)!);
    ends.push(start + ns(event.dur!));
  }
  const threads = new Set(trace.traceEvents.filter(({ name }) => name === 'thread_name').map(track));
  for (const event of slicesOf(trace)) expect(threads.has(track(event))).toBe(true);
}

/** One flow: begin, steps, end, in this order, each on a slice that covers it. */
function expectFlow(trace: Trace, links: number): TraceEvent[] {
  const flow = trace.traceEvents.filter(({ ph }) => 'stf'.includes(ph));
  expect(flow.map(({ ph }) => ph).join('')).toBe(`s${'t'.repeat(links - 2)}f`);
  expect(new Set(flow.map(({ id, cat, name }) => `${id} ${cat} ${name}`)).size).toBe(1);
  expect(flow.at(-1)!.bp).toBe('e');
  for (const link of flow) {
    const covers = (slice: TraceEvent): boolean =>
      track(slice) === track(link) && slice.ts! <= link.ts! && link.ts! <= slice.ts! + slice.dur!;
    expect(slicesOf(trace).some(covers)).toBe(true);
  }
  return flow;
}

describe('a boot', () => {
  const { events } = booted().platform.events;

  it('comes out complete: a slice for each event, nested by track, exact to the nanosecond', () => {
    const { trace } = written(events, []);
    expectValid(trace);
    expect(trace.otherData).toMatchObject({ schema: TRACE_SCHEMA, events: events.length });
    const slices = slicesOf(trace);
    expect(slices).toHaveLength(events.length);
    const byId = new Map(slices.map((slice) => [slice.args.event, slice]));
    for (const { id, kind, name, start, end, result } of events) {
      const slice = byId.get(id)!;
      expect([slice.name, slice.cat, ns(slice.ts!), ns(slice.ts! + slice.dur!)]).toEqual([name, kind, start, end]);
      if (result !== '') expect(slice.args.status).toBe(result);
    }
    const call = slices.find(({ name }) => name === 'TDH.SYS.TDMR.INIT')!;
    expect(call.args).toMatchObject({ rcx: '0x0', 'rax out': '0x0', status: 'TDX_SUCCESS' });
    expect(trace.traceEvents.filter(({ ph }) => ph !== 'M' && ph !== 'X')).toEqual([]);
  });

  it('has a track for each logical processor that did something', () => {
    const { trace } = written(events, []);
    const names = trace.traceEvents.filter(({ name }) => name === 'thread_name').map(({ args }) => args.name);
    for (let lp = 0; lp < 8; lp++) expect(names).toContain(`LP ${lp}`);
  });

  it('is written in pieces that are equal each time', () => {
    const many = Array.from({ length: 20 }, () => events).flat();
    const { chunks } = written(many, []);
    expect(chunks.length).toBeGreaterThan(10);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(2 ** 17);
    expect(written(many, []).chunks).toEqual(chunks);
  });

  it('has a hash that tells runs apart and nothing else', () => {
    expect(traceHash(booted().platform.events.events)).toBe(traceHash(events));
    expect(traceHash(events)).toMatch(/^[0-9a-f]{64}$/);
    expect(traceHash(booted({ 'kernel.wbinvdScope': 'local' }).platform.events.events)).not.toBe(traceHash(events));
    const [first, ...rest] = events;
    expect(traceHash([{ ...first!, end: first!.end + 1 }, ...rest])).not.toBe(traceHash(events));
    const shuffled = { ...first!, args: Object.fromEntries(Object.entries(first!.args).reverse()) };
    expect(traceHash([shuffled, ...rest])).toBe(traceHash(events));
  });
});

describe('a causal chain', () => {
  it('is one flow over the slices of its events, in their order', () => {
    const machine = poweredOn({
      'kernel.wbinvdBeforeKeyConfig': 'off',
      'kernel.earlierUse': 'recent',
      'kernel.dirtyLines': 8192,
    });
    machine.bootLinux();
    const chain = explain(machine.probe, machine.probe.seamShutdown()!);
    const { trace } = written(machine.platform.events.events, chain);
    expectValid(trace);
    const distinct = chain.filter(({ event }, i) => event !== chain[i - 1]?.event);
    const flow = expectFlow(trace, distinct.length);
    expect(flow.map(({ args }) => args.text)).toEqual(distinct.map(({ text }) => text));
    expect(slicesOf(trace).some(({ args }) => args.unfinished === 1)).toBe(true);
  });

  it('of one event draws no arrow', () => {
    const log = new EventLog();
    log.end(log.begin(0, 'phase', 'alone', 0, 0), 5);
    const step = { role: 'check', event: 1, lp: 0, t: 0, text: '', pa: 0, keyId: 0, tdBit: false } as const;
    const { trace } = written(log.events, [step, step]);
    expect(trace.traceEvents.some(({ ph }) => 'stf'.includes(ph))).toBe(false);
  });
});

describe('tracks', () => {
  it('events that overlap without nesting get lanes of their own', () => {
    const log = new EventLog();
    const [a, b] = [log.begin(0, 'ioctl', 'a', 0, 0), log.begin(0, 'ioctl', 'b', 10, 0)];
    const child = log.begin(0, 'seamcall', 'of b', 12, b.id);
    log.end(child, 14);
    log.end(a, 20);
    log.end(b, 30);
    const { trace } = written(log.events, []);
    expectValid(trace);
    const tid = (name: string): number => slicesOf(trace).find((slice) => slice.name === name)!.tid;
    expect(tid('a')).not.toBe(tid('b'));
    expect(tid('of b')).toBe(tid('b'));
  });

  it('a TD is a process and a vCPU a thread: its runs and TDCALLs lie there', () => {
    const { events } = guestRun();
    const { trace } = written(events, []);
    expectValid(trace);
    const process = trace.traceEvents.find(({ name, args }) => name === 'process_name' && String(args.name).startsWith('TD 1'))!;
    const inTd = slicesOf(trace).filter(({ pid }) => pid === process.pid);
    expect(inTd.map(({ cat, name, args }) => `${cat} ${cat === 'tdcall' ? name : args.status}`)).toEqual([
      'td-run TDCALL',
      'tdcall TDG.VP.INFO',
      'td-run TDCALL',
      'tdcall TDG.VP.VMCALL',
    ]);
    expect(inTd.map(({ args }) => args.status)).toEqual(['TDCALL', 'TDX_SUCCESS', 'TDCALL', 'TD exit']);
    const host = slicesOf(trace).filter(({ pid }) => pid !== process.pid);
    expect(host.map(({ name }) => name)).toEqual(['TDH.VP.ENTER']);
  });
});

/** A guest that makes two TDCALLs: one that SEAM software answers on the spot, one that becomes a TD exit. */
function guestRun(): { events: readonly MachineEvent[] } {
  const platform = new Platform({ memoryMap: smallMap });
  const { vmx, seam } = platform;
  vmx.boot = function* (vcpu) {
    vcpu.gpr[GPR.RAX] = TDG.VP_INFO;
    yield* vcpu.tdcall();
    vcpu.gpr[GPR.RAX] = TDG.VP_VMCALL;
    yield* vcpu.tdcall();
  };
  const vmcs = {
    vmcsPa: 0x1000,
    keyId: 17,
    septRoot: 0x2000,
    septLevels: 4,
    sharedEptp: 0,
    sharedBit: 47,
    veInfoPa: 0x3000,
    inject: null,
  };
  seam.range = smallMap.seamrr;
  seam.module = {
    *call(lp: LogicalProcessor): Software {
      const exit = yield* vmx.enter(lp, vmcs);
      vmx.vcpu(vmcs.vmcsPa).state.rip += BigInt(exit.instructionLength);
      lp.gpr[GPR.RAX] = 0n;
      yield* vmx.enter(lp, vmcs);
      lp.gpr[GPR.RAX] = 0n;
    },
  };
  const lp = platform.lps[0]!;
  const task = platform.scheduler.spawn(
    lp,
    'host',
    (function* () {
      lp.vmxon();
      lp.gpr[GPR.RAX] = TDH.VP_ENTER;
      yield* lp.seamcall();
    })(),
  );
  platform.scheduler.run();
  expect(task.state).toBe('done');
  return platform.events;
}
