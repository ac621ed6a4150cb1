/**
 * hp-proxy as those have it who install it: compiled. From its sources Node.js strips types in the same process, with a
 * module of WebAssembly whose memory grows; from then on V8 checks at each access to a typed array whether its
 * buffer is still there, which is 8 % of the instructions of a request.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, symlinkSync } from "node:fs";
import path from "node:path";
import { temporaryDirectory } from "../programs.ts";

const folders = new Map<string, string>();

/**
 * Where the package of the checkout `root` lies, compiled the first time, and again when temporary folders were removed
 * meanwhile. Throws with what the compiler says.
 */
export function installed(root: string): string {
  let folder = folders.get(root);
  if (folder === undefined || !existsSync(folder)) {
    folder = lay(root);
    folders.set(root, folder);
  }
  return folder;
}

function lay(root: string): string {
  const modules = path.join(root, "node_modules");
  compile(root, path.join(modules, "typescript", "bin", "tsc"));
  const folder = temporaryDirectory();
  for (const part of ["bin", "dist", "package.json"]) {
    cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  }
  symlinkSync(modules, path.join(folder, "node_modules"));
  return folder;
}

/** Where there is no compiler (an image), what it would make has to be there. */
function compile(root: string, compiler: string): void {
  if (!existsSync(compiler)) {
    if (existsSync(path.join(root, "dist"))) return;
    throw new Error(`${root} has neither dist nor a compiler: npm ci && npm run build`);
  }
  const build = [compiler, "-b", path.join(root, "tsconfig.build.json")];
  const { status, stdout, stderr } = spawnSync(process.execPath, build, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${root} does not compile: ${stdout}${stderr}`);
}
