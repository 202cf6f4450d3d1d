/** What somebody else has written, fit to stand in a message of one line. */

/** Longer values are cut in the middle. */
const MOST = 60;
const KEPT = (MOST - 2) / 2;
/** Control and format characters (those that turn the writing direction are among them), halves of pairs, line separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu;

/** Runs of characters that would not be seen as themselves become single spaces: no text can forge a second line. */
export const visible = (text: string): string => text.replace(UNSEEN, ' ');

/** The text without such characters, and no longer than 60. */
export function shown(value: unknown): string {
  // A first cut, so that a megabyte is not looked at.
  const text = Object.is(value, -0) ? '-0' : typeof value === 'object' && value !== null ? 'an object' : String(value);
  const characters = [...visible(text.length > 4 * MOST ? `${text.slice(0, 2 * MOST)}…${text.slice(-2 * MOST)}` : text)];
  if (characters.length <= MOST) return characters.join('');
  return `${characters.slice(0, KEPT).join('')}…${characters.slice(-KEPT).join('')}`;
}
