import { createRequire } from 'node:module';

/** The package's version, out of its own package.json: the package refers to itself by name, from sources, dist and an installation alike. */
export const version: string = createRequire(import.meta.url)('seamline/package.json').version;
