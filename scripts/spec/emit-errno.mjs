import { header } from './text.mjs';

export function emit(read) {
  const { errnos } = read('errno');
  return {
    'src/spec/errno.ts': `${header('errno')}${errnos.map(([name, n]) => `export const ${name} = ${n};`).join('\n')}

const names: Readonly<Record<number, string>> = { ${errnos.map(([name]) => `[${name}]: '${name}'`).join(', ')} };

/** A kernel return value as the kernel's own text: -22 → '-EINVAL', 0 → '0'. */
export const errnoName = (value: number): string => (value < 0 && names[-value] ? \`-\${names[-value]}\` : \`\${value}\`);

/** 'EINVAL' → 22; undefined when the name is unknown. */
export const errnoByName = (name: string): number | undefined => {
  const entry = Object.entries(names).find(([, n]) => n === name);
  return entry && Number(entry[0]);
};
`,
  };
}
