/**
 * Makes TypeScript text safe to search line by line: comments and the contents of strings become blanks,
 * lines and columns stay.
 */

/** Comments, the three kinds of quotes, and regular expressions where an expression may begin. */
const OPAQUE = new RegExp(
  [
    /\/\*[\s\S]*?\*\//,
    /\/\/[^\n]*/,
    /"(?:\\.|[^"\\\n])*"/,
    /'(?:\\.|[^'\\\n])*'/,
    /`(?:\\[\s\S]|[^`\\])*`/,
    /(?<=[=(,:[!&|?{};]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

/** `text` with every comment, and what stands between quotes, as spaces. Quotes and line ends stay. */
export function blankText(text: string): string {
  return text.replace(OPAQUE, (match) => {
    const isQuoted = /^["'`]/.test(match);
    const inner = (isQuoted ? match.slice(1, -1) : match).replace(/[^\n]/g, " ");
    return isQuoted ? match[0] + inner + match[0] : inner;
  });
}
