// One fresh process of start.ts: from before the import until the first line was written and read back.
const start = performance.now();
const { createCore, DEFAULT_CORE_CONFIG } = await import(process.argv[2]);
const core = createCore(DEFAULT_CORE_CONFIG);
core.mailbox.u8.fill(0xc3, 0, 64);
core.movdir64b(0, 4096, 40);
core.mailbox.u8.fill(0, 0, 64);
const status = core.load(0, 4096, 64, 40);
const ns = (performance.now() - start) * 1e6;
const answer = `${status}:${core.mailbox.u8[0].toString(16)}:${core.mailbox.u8[63].toString(16)}`;
process.stdout.write(JSON.stringify({ ns, answer }));
