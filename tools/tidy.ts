/**
 * House rules that neither the compiler nor the linter knows: which layer may import which, what core and hot
 * code may not use, how long things may be, what every dependency owes.
 *
 *     npm run tidy
 *
 * Strategy: checks look at lines of text with comments and strings blanked out, not at syntax trees: they are
 * a net with known holes that costs milliseconds. test/tidy.test.ts runs them on the checkout and on samples
 * that must be caught.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { blankText } from "./source-text.ts";

/** One broken rule. `line` counts from 1; 0 is the whole file. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const LINE_LENGTH_MAX = 120;
const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;

/**
 * What the files of a layer may import: other layers, `node:*`, packages. Its own layer always. A file beside the
 * folders is a layer of its own.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  contract: ["base"],
  http1: ["base"],
  balance: ["base", "contract"],
  route: ["base", "contract", "http1"],
  session: ["base", "contract", "http1", "balance", "route"],
  engine: ["base", "contract", "node:"],
  hooks: ["base", "contract", "http1", "node:"],
  worker: ["base", "contract", "session", "engine", "hooks", "node:"],
  config: ["base", "contract", "route", "hooks", "node:", "zod", "yaml"],
  import: ["base", "config", "node:", "yaml"],
  control: ["base", "contract", "route", "config", "engine", "node:", "pino", "pino-pretty"],
  echo: ["base", "contract", "http1", "engine", "node:"],
  loadgen: ["base", "contract", "http1", "engine", "node:", "d3-scale", "d3-shape"],
  library: [
    "base",
    "contract",
    "config",
    "engine",
    "hooks",
    "worker",
    "control",
    "package-version.ts",
    "node:",
  ],
  testing: [...["base", "contract", "config", "engine", "hooks", "session", "control", "library", "node:"]],
  "package-version.ts": ["node:"],
  "testing.ts": ["testing"],
  "index.ts": ["contract", "config", "control", "library"],
  cli: [
    ...[
      "base",
      "contract",
      "http1",
      "route",
      "session",
      "hooks",
      "config",
      "import",
      "engine",
      "worker",
      "control",
      "echo",
      "loadgen",
      "package-version.ts",
    ],
    ...["node:", "pino", "pino-pretty"],
  ],
};
/** Compiled without Node's types; no clock, chance, process or console of its own. */
const CORE_LAYERS = ["base", "contract", "http1", "balance", "route", "session"];
const IMPURE = /\b(?:Date\.now|new Date\b|performance\.|Math\.random|console\.|process\.)/;

/** The only file that may load the package for foreign function calls. */
const FOREIGN_CALLS_FILE = "src/engine/native/syscalls.ts";
const FOREIGN_CALLS_PACKAGE = /@koromix\/koffi/;

/** What hot code may not contain. */
const HOT_ALLOCATIONS: readonly [RegExp, string][] = [
  [/\.(?:subarray|slice|concat|map|filter|forEach|flatMap|split|substring|toString)\(/, "allocates"],
  [/\basync\b|\bawait\b|\bnew Promise\b/, "makes a promise"],
  [/(?:[([,]|=>)\s*\.\.\.\w/, "spreads"],
  [/\bJSON\.|\bnew RegExp\b/, "builds text"],
  [/\btry\b\s*\{/, "catches in the normal flow"],
];
/** Node's sockets take views, so the engine on top of them may make them. */
const MAKES_VIEWS = "src/engine/net/";

/** Spelt so that it does not find itself. */
const UNFINISHED = /\b(?:TO[D]O|FIX[M]E|XX[X])\b/;
const MACHINE_PATH = /(?:^|[\s"'`(=])\/(?:work|home|root|Users)\/\w/;

/** Every tracked or new text file of the checkout. */
export function checkoutFiles(root: string): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter(
      (file) => /\.(?:ts|js|json|md|yml|sh)$|^bin\/|^\.ci\//.test(file) && existsSync(path.join(root, file)),
    )
    .map((file) => ({ path: file, text: readFileSync(path.join(root, file), "utf8") }));
}

/** All findings, in the order of the files. */
export function tidy(files: readonly SourceFile[]): Finding[] {
  return [...files.flatMap(fileFindings), ...dependencyFindings(files), ...lockFindings(files)];
}

function fileFindings(file: SourceFile): Finding[] {
  if (file.path === "package-lock.json") return [];
  const findings = lineFindings(file);
  const isSource = /\.(?:ts|js)$/.test(file.path);
  if (!isSource) return findings;
  const lines = file.text.split("\n");
  if (lines.length - 1 > FILE_LINES_MAX) add(findings, file, 0, `more than ${FILE_LINES_MAX} lines`);
  if (/issue-?\d|bug-?\d/.test(path.basename(file.path))) add(findings, file, 0, "a number is not a name");
  functionFindings(file, findings);
  if (isProduct(file)) layerFindings(file, findings);
  if (isProduct(file) && /^\s*\*\s*@hot\b/m.test(file.text)) hotFindings(file, findings);
  return findings;
}

function isProduct(file: SourceFile): boolean {
  return /^src\/.*\.ts$/.test(file.path) && !/\.(?:test|fuzz|bench)\.ts$/.test(file.path);
}

/** Rules for every kind of text. */
function lineFindings(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const lengthMatters = /\.(?:ts|js)$/.test(file.path);
  file.text.split("\n").forEach((line, index) => {
    if (UNFINISHED.test(line)) add(findings, file, index + 1, "unfinished work does not land");
    if (MACHINE_PATH.test(line)) add(findings, file, index + 1, "a path of one machine");
    if (lengthMatters && line.length > LINE_LENGTH_MAX && !/https?:\/\//.test(line))
      add(findings, file, index + 1, `longer than ${LINE_LENGTH_MAX} columns`);
  });
  return findings;
}

/** Functions that begin at the start of a statement; expressions inside others count for those. */
function functionFindings(file: SourceFile, findings: Finding[]): void {
  const opening =
    /^(\s*)(?:export )?(?:(?:async )?function\b|(?:static |async |get |set )*[#\w]+\([^)]*\)(?::[^={]+)? \{$)/;
  const lines = blankText(file.text).split("\n");
  for (let start = 0; start < lines.length; start++) {
    const match = opening.exec(lines[start]!);
    if (match === null || /^\s*(?:if|for|while|switch|test|describe)\b/.test(lines[start]!)) continue;
    const end = lines.indexOf(`${match[1]}}`, start);
    if (end - start + 1 > FUNCTION_LINES_MAX && !/^test\/|\.(?:test|fuzz)\.ts$/.test(file.path))
      add(findings, file, start + 1, `a function of more than ${FUNCTION_LINES_MAX} lines`);
  }
}

function layerFindings(file: SourceFile, findings: Finding[]): void {
  const layer = file.path.split("/")[1]!;
  const allowed = LAYERS[layer];
  if (allowed === undefined) {
    add(findings, file, 0, `${layer} is no layer`);
    return;
  }
  const isCore = CORE_LAYERS.includes(layer);
  const blank = blankText(file.text).split("\n");
  file.text.split("\n").forEach((line, index) => {
    if (isCore && IMPURE.test(blank[index]!))
      add(findings, file, index + 1, "core has no clock, chance or console");
    if (/\bconsole\./.test(blank[index]!) && !isCore)
      add(findings, file, index + 1, "console is not an output");
    if (/\bexport default\b/.test(blank[index]!)) add(findings, file, index + 1, "a default export");
    if (FOREIGN_CALLS_PACKAGE.test(line) && blank[index]!.includes('"') && file.path !== FOREIGN_CALLS_FILE)
      add(findings, file, index + 1, `only ${FOREIGN_CALLS_FILE} loads the foreign function package`);
    // An import statement may break over lines, but its specifier follows `from` or `import` on one.
    const specifier = /(?:\bfrom|^import|\bimport\(|\brequire\()\s*"([^"]+)"/.exec(line)?.[1];
    if (specifier === undefined || blank[index]!.trim() === "") return;
    const broken = brokenImport(file.path, layer, specifier, allowed);
    if (broken !== undefined) add(findings, file, index + 1, broken);
  });
}

/** Why `file` may not import `specifier`, or undefined. */
function brokenImport(
  file: string,
  layer: string,
  specifier: string,
  allowed: readonly string[],
): string | undefined {
  if (!specifier.startsWith(".")) {
    const name = specifier.startsWith("node:") ? "node:" : specifier;
    return allowed.includes(name) ? undefined : `${layer} may not import ${specifier}`;
  }
  const target = path.posix.join(path.posix.dirname(file), specifier);
  if (/\.(?:test|fuzz|bench)\.ts$/.test(target) || !target.startsWith("src/")) return `imports ${target}`;
  const targetLayer = target.split("/")[1]!;
  const fromNet = file.startsWith("src/engine/net/") || file.startsWith("src/engine/sim/");
  if (fromNet && /^src\/engine\/(?:native|uring|epoll)\//.test(target))
    return `the portable engines may not import ${target}`;
  if (targetLayer === layer || allowed.includes(targetLayer)) return undefined;
  return `${layer} may not import ${targetLayer}`;
}

/**
 * Hot is every function of a file marked `@hot`, but constructors and those marked `@cold` in their comment.
 */
function hotFindings(file: SourceFile, findings: Finding[]): void {
  const lines = file.text.split("\n");
  const blank = blankText(file.text).split("\n");
  let isCold = false;
  /** Ends the cold function that is being passed over; "" outside one. */
  let coldEnd = "";
  for (let index = 0; index < lines.length; index++) {
    const line = blank[index]!;
    if (coldEnd !== "") {
      if (line.startsWith(coldEnd)) coldEnd = "";
      continue;
    }
    if (/^\s*(?:\/?\*|\/\/).*@cold\b/.test(lines[index]!)) isCold = true;
    if (line.trim() === "") continue;
    if (isCold || /^\s*constructor\(/.test(line)) {
      isCold = false;
      const indent = /^\s*/.exec(line)![0];
      if (!/[;}]\s*$/.test(line)) coldEnd = `${indent}}`;
      continue;
    }
    if (/^(?:import|export \{|(?:export )?const)\b/.test(line)) {
      while (index < lines.length - 1 && !/;\s*$/.test(blank[index]!)) index++;
      continue;
    }
    for (const [pattern, what] of HOT_ALLOCATIONS)
      if (pattern.test(line) && !(what === "allocates" && file.path.startsWith(MAKES_VIEWS)))
        add(findings, file, index + 1, `hot code ${what}: ${lines[index]!.trim()}`);
  }
}

/** Every dependency is named in docs/dependencies.md, which gives its reason. */
function dependencyFindings(files: readonly SourceFile[]): Finding[] {
  const reasons = files.find((file) => file.path === "docs/dependencies.md");
  const findings: Finding[] = [];
  for (const file of files) {
    if (path.basename(file.path) !== "package.json") continue;
    const manifest = JSON.parse(file.text) as Record<string, Record<string, string> | undefined>;
    const kinds = ["dependencies", "optionalDependencies", "devDependencies", "peerDependencies"];
    for (const name of kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {})))
      if (!reasons?.text.includes(`\`${name}\``))
        add(findings, file, 0, `docs/dependencies.md does not say why ${name}`);
  }
  return findings;
}

/**
 * The lock names the packages of every platform. npm leaves out what the registry of the moment does not
 * have, and then refuses the lock elsewhere.
 */
function lockFindings(files: readonly SourceFile[]): Finding[] {
  const lock = files.find((file) => file.path === "package-lock.json");
  if (lock === undefined) return [];
  const { packages } = JSON.parse(lock.text) as { packages: Record<string, LockedPackage> };
  const findings: Finding[] = [];
  for (const [at, { optionalDependencies }] of Object.entries(packages))
    for (const name of Object.keys(optionalDependencies ?? {}))
      if (
        packages[`node_modules/${name}`] === undefined &&
        packages[`${at}/node_modules/${name}`] === undefined
      )
        add(findings, lock, 0, `${name} is not locked; npm ci needs it`);
  return findings;
}

interface LockedPackage {
  readonly optionalDependencies?: Record<string, string>;
}

function add(findings: Finding[], file: SourceFile, line: number, rule: string): void {
  findings.push({ file: file.path, line, rule });
}

if (import.meta.main) {
  const findings = tidy(checkoutFiles(path.dirname(import.meta.dirname)));
  for (const { file, line, rule } of findings) process.stdout.write(`${file}:${line} ${rule}\n`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
