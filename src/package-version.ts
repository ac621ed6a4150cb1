/** The version of the installed package. */
import { readFileSync } from "node:fs";

/** From package.json, one folder above this file both in the source tree and in the package. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
