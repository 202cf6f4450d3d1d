import { afterEach, describe, expect, it, vi } from 'vitest';
import { progressLine, RateMeter } from '../../src/cli/stress/progress.ts';
import {
  alignedPercent,
  bytes,
  counted,
  duration,
  exactBytes,
  parseCount,
  parseSize,
  percent,
  short,
  sizeAdvice,
} from '../../src/cli/stress/quantities.ts';
import { Scoreboard } from '../../src/cli/stress/scoreboard.ts';
import { holdStopSignals, onStopSignal } from '../../src/cli/stress/signals.ts';
import { nextSlice } from '../../src/cli/stress/worker.ts';
import { DEFAULT_STRESS_PROGRAM, StressRun } from '../../src/lab/stress/index.ts';

describe('quantities', () => {
  it.each([
    ['1000000', 1e6],
    ['1_000_000', 1e6],
    ['1e9', 1e9],
    ['2.5e3', 2500],
    ['10M', 1e7],
    ['1.5g', 1.5e9],
    ['7k', 7000],
    ['0', 0],
    ['0x10', 16],
    ['1.5', undefined],
    ['-1', undefined],
    ['1e', undefined],
    ['1,000', undefined],
    ['M', undefined],
    ['10MiB', undefined],
    ['', undefined],
  ])('count %j', (text, count) => {
    expect(parseCount(text)).toBe(count);
  });

  it.each([
    ['4096', 4096],
    ['4096B', 4096],
    ['0x1000', 4096],
    ['64GiB', 64 * 2 ** 30],
    ['64 GiB', 64 * 2 ** 30],
    ['64gib', 64 * 2 ** 30],
    ['64G', 64 * 2 ** 30],
    ['512MiB', 2 ** 29],
    ['1.5MiB', 1.5 * 2 ** 20],
    ['1TiB', 2 ** 40],
    ['64GB', undefined],
    ['1.3KiB', undefined],
    ['-1', undefined],
    ['GiB', undefined],
    ['', undefined],
  ])('size %j', (text, size) => {
    expect(parseSize(text)).toBe(size);
  });

  it('prints three digits and a unit, and no 1000 of anything', () => {
    expect([0, 7, 999, 1000, 42_700_000, 999_499, 999_600, 1e9].map(short)).toEqual([
      '0',
      '7',
      '999',
      '1.00 k',
      '42.7 M',
      '999 k',
      '1.00 M',
      '1.00 G',
    ]);
    expect([512, 2 ** 20, 1.25 * 2 ** 30, 2 ** 30 - 1].map(bytes)).toEqual(['512 bytes', '1.00 MiB', '1.25 GiB', '1.00 GiB']);
    expect([1000, 1028 * 1024, 2 ** 36].map(exactBytes)).toEqual(['1000 bytes', '1028 KiB', '64 GiB']);
    expect([0.84, 41.7, 59.7, 200, 7500].map(duration)).toEqual(['0.8 s', '42 s', '1 min 0 s', '3 min 20 s', '2 h 5 min']);
    expect([86_399, 273_600].map(duration)).toEqual(['23 h 59 min', '3 d 4 h']);
    expect([percent(1, 8), percent(0, 8), percent(1, 1e6), percent(0, 0)]).toEqual(['12.5 %', '0 %', '0.0001 %', '0 %']);
  });
});

describe('quantities in columns and sentences', () => {
  it('has percentages with one number of digits, and none that looks like nothing', () => {
    const shares = [1, 12, 100, 0, 1e-5, 1e-9].map((part) => alignedPercent(part, 100));
    expect(shares).toEqual(['1.0000 %', '12.0000 %', '100.0000 %', '0.0000 %', '<0.0001 %', '<0.0001 %']);
    expect(alignedPercent(0, 0)).toBe('0.0000 %');
  });

  it('has a singular', () => {
    expect([0, 1, 2, 1000].map((count) => counted(count, 'operation'))).toEqual([
      '0 operations',
      '1 operation',
      '2 operations',
      '1,000 operations',
    ]);
  });

  it('knows what was meant by a unit that it does not take', () => {
    expect(sizeAdvice('64GB')).toBe('binary units: write GiB for 1024s');
    expect(sizeAdvice('64QiB')).toMatch(/such as 64GiB, .* \(units: KiB, MiB, GiB, TiB, PiB\)/);
  });
});

describe('slices', () => {
  it('take about 25 ms, at most double, and never vanish', () => {
    expect(nextSlice(4096, 1)).toBe(8192);
    expect(nextSlice(4096, 0)).toBe(8192);
    expect(nextSlice(100_000, 50)).toBe(50_000);
    expect(nextSlice(4096, 100_000)).toBe(1);
    expect(nextSlice(2 ** 24, 1)).toBe(2 ** 24);
  });
});

describe('the scoreboard', () => {
  it('adds shards up over the same memory, and counts the memory of those alone that still run', () => {
    const board = new Scoreboard({ shards: 3 });
    const worker = new Scoreboard(board.buffer);
    const { result } = new StressRun({ ...DEFAULT_STRESS_PROGRAM, footprint: 4096 });
    const faults = { ...result.faults, mac: 3 };
    worker.post(0, { operations: 5, memoryUsed: 100, faults }, 'running');
    worker.post(2, { operations: 7, memoryUsed: 10, faults }, 'running');
    worker.post(0, { operations: 5, memoryUsed: 100, faults }, 'ended');
    worker.post(2, { operations: 8, memoryUsed: 20, faults }, 'running');
    expect(board.read()).toMatchObject({ operations: 13, memoryUsed: 20, faults: { mac: 6, 'td-bit': 0 } });
    expect(board.read()).toMatchObject({ peakMemory: 110, preparing: null, outOfMemory: 0 });
    expect(Object.keys(board.read().faults).sort()).toEqual(Object.keys(result.faults).sort());
    worker.post(1, { operations: 0, memoryUsed: 5, faults }, 'preparing', 0.5);
    expect(board.read()).toMatchObject({ memoryUsed: 25, preparing: null });
    worker.post(2, { operations: 8, memoryUsed: 20, faults }, 'out-of-memory');
    expect(board.read()).toMatchObject({ memoryUsed: 5, preparing: 0.5, outOfMemory: 1, peakMemory: 110 });
    expect(worker.stopped).toBe(false);
    board.stop();
    expect(worker.stopped).toBe(true);
  });
});

describe('the progress line', () => {
  const score = {
    operations: 42_000_000,
    memoryUsed: 2 ** 30,
    faults: { 'td-bit': 1200, mac: 17, 'unprogrammed-key': 0, 'partial-write': 3, poison: 0 },
    peakMemory: 2 ** 31,
    preparing: null as number | null,
    outOfMemory: 0,
    rate: 2e6,
  };
  const line = (maxWidth: number, shown = score) => progressLine({ progress: 0.42, total: 1e8, maxWidth }, shown);

  it('shows all there is when it fits', () => {
    expect(line(200)).toBe(
      `[${'='.repeat(13)}${' '.repeat(17)}]  42.0 %  42.0 M of 100 M  2.00 M/s  td-bit 1.20 k, mac 17, partial-write 3  1.00 GiB  29 s left`,
    );
    expect(line(200, { ...score, faults: { ...score.faults, 'td-bit': 0, mac: 0, 'partial-write': 0 } })).toContain('no faults');
  });

  it('shows rate, faults by kind and memory in 80 columns', () => {
    expect(line(80)).toMatch(/^\[=+ +\] {2}42\.0 % {2}2\.00 M\/s {2}td-bit 1\.20 k, mac 17, partial-write 3 {2}1\.00 GiB$/);
  });

  it('says what goes on while nobody runs, and that shards have ended early', () => {
    const still = { ...score, operations: 0, rate: 0, preparing: 0.379 };
    expect(line(80, still)).toMatch(/ preparing 37 % /);
    expect(line(20, still)).not.toContain('/s');
    expect(line(200, { ...score, outOfMemory: 2 })).toContain('2 shards out of memory');
  });

  it('never reaches the last column', () => {
    for (let width = 1; width <= 200; width++) expect(line(width).length).toBeLessThan(Math.max(width, 1));
  });

  it('takes the rate of the last moments', () => {
    const meter = new RateMeter();
    expect(meter.of(0, 1000)).toBe(0);
    expect(meter.of(500, 1500)).toBe(1000);
    for (let i = 0; i < 40; i++) meter.of(1000 + i * 10, 2000 + i * 100);
    expect(meter.of(1000 + 40 * 10, 2000 + 40 * 100)).toBeCloseTo(100);
  });
});

describe('stop signals', () => {
  afterEach(() => vi.restoreAllMocks());

  it('stops at the first, takes an echo of it for what it is, and dies of a later one', () => {
    const before = process.listeners('SIGINT');
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
    const stop = vi.fn();
    const release = onStopSignal(stop);
    const [listen] = process.listeners('SIGINT').filter((listener) => !before.includes(listener));
    listen!('SIGINT');
    expect(stop).toHaveBeenCalledExactlyOnceWith('SIGINT');
    now.mockReturnValue(1010);
    listen!('SIGINT');
    expect(kill).not.toHaveBeenCalled();
    now.mockReturnValue(2000);
    listen!('SIGINT');
    expect(kill).toHaveBeenCalledExactlyOnceWith(process.pid, 'SIGINT');
    expect(stop).toHaveBeenCalledTimes(1);
    expect(process.listeners('SIGINT')).toEqual(before);
    release();
  });

  it('keeps a signal for a run that is yet to come, and passes it on once', () => {
    const before = process.listeners('SIGINT');
    holdStopSignals();
    const [listen] = process.listeners('SIGINT').filter((listener) => !before.includes(listener));
    listen!('SIGINT');
    const [stop, later] = [vi.fn(), vi.fn()];
    onStopSignal(stop)();
    onStopSignal(later)();
    expect(stop).toHaveBeenCalledExactlyOnceWith('SIGINT');
    expect(later).not.toHaveBeenCalled();
    expect(process.listeners('SIGINT')).toEqual(before);
  });

  it('listens no longer when the run is over', () => {
    const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'];
    const count = () => signals.reduce((sum, signal) => sum + process.listenerCount(signal), 0);
    const before = count();
    const release = onStopSignal(() => {});
    expect(count()).toBe(before + signals.length);
    release();
    expect(count()).toBe(before);
  });
});
