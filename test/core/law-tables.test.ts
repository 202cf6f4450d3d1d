import { createCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';
import { describeLaw } from './shared/law-suite.ts';

describeLaw({ name: 'the Wasm core', create: (config) => createCore(config) });
describeLaw({ name: 'the Wasm core, eager crypto', create: (config) => createCore({ ...config, crypto: 'eager' }) });
describeLaw({ name: 'the eager oracle', create: (config) => new EagerCore(config) });
