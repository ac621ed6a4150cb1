/** Whether Node takes a file of code for an ES module, which the nearest package.json says. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** Node says this of `import` and `export` in what it takes for CommonJS. */
const NO_MODULE =
  /^(?:Cannot use (?:import statement|'import\.meta') outside a module|Unexpected token 'export')/;

/** What the nearest package.json above `file` says explicitly: Node looks no further, and then not into the code. */
export function isCommonJs(file: string): boolean {
  let folder = path.dirname(path.resolve(file));
  for (;;) {
    const text = readText(path.join(folder, "package.json"));
    if (text !== undefined) return typeOf(text) === "commonjs";
    const above = path.dirname(folder);
    if (above === folder) return false;
    folder = above;
  }
}

/** What to do about an error in the code of `file`. */
export function codeRemedy(error: unknown, file: string): string {
  const { name, ext } = path.parse(file);
  const isOther = error instanceof SyntaxError && NO_MODULE.test(error.message) && /^\.[jt]s$/.test(ext);
  if (!isOther || !isCommonJs(file)) return "correct the code";
  return `rename it to ${name}${ext.replace(".", ".m")}, or set "type": "module" in package.json`;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function typeOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { readonly type?: unknown } | null)?.type;
  } catch {
    return undefined;
  }
}
