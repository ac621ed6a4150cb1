/** Errors of foreign code, for a log: whatever was thrown, of bounded length. */

const TEXT_LENGTH_MAX = 600;
/** Lines of a trace that say where in their code it was. */
const PLACES_MAX = 3;
/** Our own places say nothing to whoever wrote a hook. */
const OWN_FOLDER = new URL("../", import.meta.url).href;

/** Its name and message, and the first places of its trace that are not Node's own, in one line. */
export function errorText(error: unknown): string {
  try {
    if (!(error instanceof Error)) return cut(`threw ${String(error)}`);
    const places = (error.stack ?? "")
      .split("\n")
      .map((line) => /^\s+at (.*)$/.exec(line)?.[1])
      .filter((place) => place !== undefined && !place.includes("node:") && !place.includes(OWN_FOLDER))
      .slice(0, PLACES_MAX);
    const text = `${error.name}: ${error.message}`.replaceAll(/\s*\n\s*/g, " ");
    return cut(places.length === 0 ? text : `${text} (at ${places.join("; at ")})`);
  } catch {
    // Its getters may throw as well.
    return "threw something that cannot be read";
  }
}

function cut(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
}
