/**
 * Virtual time of operations, in nanoseconds. Assumed: no public source gives these for a TDX part; the order of magnitude is what matters.
 */
export const COST = {
  loadLine: 5,
  storeLine: 5,
  movdir64bLine: 20,
  directStore: 100,
  clflushLine: 50,
  wbinvdBase: 100_000,
  wbinvdDirtyLine: 20,
  rdmsr: 30,
  wrmsr: 80,
  cpuid: 40,
  vmxon: 500,
  seamTransition: 200,
  tdTransition: 1_500,
  pconfig: 10_000,
  ipi: 1_000,
  syscall: 200,
  guestStep: 50,
} as const;
