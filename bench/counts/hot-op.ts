/** The process that callgrind watches: one hot operation, warmed up, then as often as it is told. */
import { HOT_OPERATIONS } from './operations.ts';

const [name, count] = process.argv.slice(2);
const operation = HOT_OPERATIONS.find((one) => one.name === name);
if (!operation || !(Number(count) > 0)) throw new Error(`hot-op ${name} ${count}: give the name of an operation and a count`);
const running = operation.start();
running.run(operation.operations);
running.run(Number(count));
