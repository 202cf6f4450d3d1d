export { Entropy } from './entropy.ts';
export { LeafFaults } from './faults.ts';
export { type ModuleKnobs, moduleKnobs } from './knobs.ts';
export { TdxModule } from './module.ts';
