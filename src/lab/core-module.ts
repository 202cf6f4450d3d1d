/** The compiled core, for who posts it to his workers. */
export { compileCore } from '../../bindings/index.ts';
