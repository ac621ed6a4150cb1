/**
 * Reads a configuration of nginx from its files: what `include` names stands where the directive stood.
 *
 * Relative names are relative to the folder of the first file, in included files too, as nginx has it. What
 * is read is bounded in size, number and depth, and a file that includes itself is refused.
 */
import { globSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { type Directive, NginxError, parseNginx } from "./nginx-grammar.ts";

const FILE_BYTES_MAX = 2 ** 20;
const ALL_BYTES_MAX = 8 * 2 ** 20;
const FILES_MAX = 1000;
const DEPTH_MAX = 16;

export interface ReadNginx {
  readonly directives: readonly Directive[];
  /** Files that could not be read or parsed; then `directives` lacks what is in them. */
  readonly errors: readonly NginxError[];
}

/** `prefix`: what relative includes are relative to; undefined: the folder of `file`. */
export function readNginxFiles(file: string, prefix: string | undefined): ReadNginx {
  const reader = new FileReader(prefix ?? path.dirname(file));
  const directives = reader.read(file, file, null, []);
  return { directives, errors: reader.errors };
}

/** Tables of nginx's own package that no configuration here needs: they may be missing. */
const TABLES = /(?:^|\/)(?:mime\.types|(?:fastcgi|uwsgi|scgi)_params|fastcgi\.conf|koi-(?:utf|win)|win-utf)$/;

class FileReader {
  readonly errors: NginxError[] = [];
  readonly #prefix: string;
  #bytes = 0;
  #files = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** `shown` is its name in messages, `asker` what includes it, `within` the real paths of those around it. */
  read(file: string, shown: string, asker: Directive | null, within: readonly string[]): Directive[] {
    try {
      const { text, real } = this.#text(file, shown, asker, within);
      return this.#included(parseNginx(text, shown), [...within, real]);
    } catch (error) {
      if (!(error instanceof NginxError)) throw error;
      this.errors.push(error);
      return [];
    }
  }

  #text(file: string, shown: string, asker: Directive | null, within: readonly string[]) {
    const fail = (reason: string, remedy: string): never => {
      const what = asker === null ? reason : `includes ${shown}, which ${reason}`;
      throw new NginxError(asker?.file ?? shown, asker?.line ?? 0, what, remedy);
    };
    try {
      const stat = statSync(file);
      if (stat.isDirectory()) fail("is a folder", "name a file");
      if (!stat.isFile()) fail("is no ordinary file", "name a file");
      if (stat.size > FILE_BYTES_MAX) fail("is larger than 1 MiB", "import it in parts");
      const real = realpathSync(file);
      if (within.includes(real)) fail("includes it again", "break the circle");
      if (within.length >= DEPTH_MAX) fail(`is the ${DEPTH_MAX}th file within another`, "include fewer");
      this.#bytes += stat.size;
      if (++this.#files > FILES_MAX || this.#bytes > ALL_BYTES_MAX)
        fail(`comes after ${FILES_MAX} files or 8 MiB of them`, "import them in parts");
      return { text: readFileSync(file, "utf8"), real };
    } catch (error) {
      if (error instanceof NginxError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      if (code === "EACCES") return fail("may not be read by this user", "change its mode or owner");
      if (code !== "ENOENT") return fail(`cannot be read: ${code}`, "name another file");
      const remedy = asker === null ? "name a file that is there" : "bring it here, or say --prefix DIR";
      return fail("does not exist", remedy);
    }
  }

  #included(directives: readonly Directive[], within: readonly string[]): Directive[] {
    return directives.flatMap((directive): Directive[] => {
      const { name, words, block } = directive;
      if (block !== null) return [{ ...directive, block: this.#included(block, within) }];
      const [pattern] = words;
      if (name !== "include" || pattern === undefined) return [directive];
      return this.#filesOf(pattern).flatMap((file) => {
        if (TABLES.test(file)) return [];
        return this.read(file, this.#shown(file), directive, within);
      });
    });
  }

  /** A pattern may find nothing; what it finds is read by name. */
  #filesOf(pattern: string): string[] {
    if (!/[*?[]/.test(pattern)) return [path.resolve(this.#prefix, pattern)];
    return globSync(pattern, { cwd: this.#prefix })
      .map((each) => path.resolve(this.#prefix, each))
      .sort();
  }

  /** As people name it: relative to where includes are relative to, when it is below that. */
  #shown(file: string): string {
    const relative = path.relative(this.#prefix, file);
    return relative.startsWith("..") ? file : relative;
  }
}
