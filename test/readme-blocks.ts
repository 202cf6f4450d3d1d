/** README.md, as the tests read it. */
import { readFileSync } from 'node:fs';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The code of the fenced block between `<!-- name -->` and `<!-- /name -->`. */
export function block(name: string): string {
  const [, code] = new RegExp(`<!-- ${name} -->\\n\`\`\`\\w*\\n([\\s\\S]*?)\`\`\`\\n<!-- /${name} -->`).exec(readme) ?? [];
  if (code === undefined) throw new Error(`README.md has no block ${name}`);
  return code;
}

/** Every `seamline …` that README shows, in a block or between backticks: the words behind it, up to a comment or two spaces. */
export const commandLines: readonly (readonly string[])[] = [
  ...readme.matchAll(/(?:^npx |`npx |`)seamline((?: [^\s`]+)+)/gm),
].map(([, words = '']) => words.replace(/ #.*$/, '').trim().split(' '));

/** What `npm run NAME` or `npm NAME` README shows. */
export const npmScripts: readonly string[] = [...readme.matchAll(/\bnpm (?:run )?([a-z:]+)/g)].map(([, name = '']) => name);
