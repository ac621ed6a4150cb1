/**
 * Writes what is made from the schema of the configuration: the tables of docs/cli.md and docs/configuration.md,
 * and the JSON Schema for editors; and, from its text, the WebAssembly code that reads field lines.
 *
 *     npm run generate
 *
 * Tests compare the files with what this would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import initWabt from "wabt";
import { configJsonSchema } from "../src/config/json-schema.ts";
import { keysMarkdown, optionsMarkdown } from "../src/control/help.ts";

const ROOT = path.dirname(import.meta.dirname);

/** A file and its text as it should be. */
export interface Generated {
  readonly file: string;
  readonly text: string;
}

/** Every generated file, with the parts between them that people write. */
export async function generated(): Promise<Generated[]> {
  return [
    withTable("docs/cli.md", "| flag | variable |", optionsMarkdown()),
    withTable("docs/configuration.md", "| key | value |", keysMarkdown()),
    await assembled("src/http1/field-scanner.wat", "FIELD_SCANNER_CODE"),
    { file: "schema/hp-proxy.schema.json", text: `${JSON.stringify(configJsonSchema(), null, 2)}\n` },
  ];
}

/** A module of TypeScript beside the WebAssembly text `file`: its code as the constant `name`, in hexadecimal. */
async function assembled(file: string, name: string): Promise<Generated> {
  const wabt = await initWabt();
  const module = wabt.parseWat(file, readFileSync(path.join(ROOT, file), "utf8"), {
    simd: true,
    relaxed_simd: true,
  });
  const code = Buffer.from(module.toBinary({}).buffer).toString("hex");
  module.destroy();
  const lines = code.match(/.{1,96}/g)!.map((digits) => `  "${digits}"`);
  const text =
    `/** Made from ${path.basename(file)} by \`npm run generate\`; not to be changed by hand. */\n` +
    `export const ${name}: string =\n${lines.join(" +\n")};\n`;
  return { file: file.replace(/\.wat$/, "-code.ts"), text };
}

/** The file with `table` in the place of its table that begins with `head`. */
function withTable(file: string, head: string, table: string): Generated {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  const start = text.indexOf(head);
  if (start < 0) throw new Error(`${file} has no line that begins with ${head}`);
  const rest = text.slice(start);
  const end = /\n(?!\|)/.exec(rest)!.index;
  return { file, text: text.slice(0, start) + table + rest.slice(end) };
}

if (import.meta.main)
  for (const { file, text } of await generated()) writeFileSync(path.join(ROOT, file), text);
