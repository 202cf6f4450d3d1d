import { EagerCore } from '../oracle/eager-core.ts';
import { describeLaw } from './shared/law-suite.ts';

describeLaw({ name: 'the eager oracle', create: (config) => new EagerCore(config) });
