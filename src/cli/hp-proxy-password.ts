/** `hp-proxy hash-password`: what `basicAuth` compares passwords with. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { errorsText } from "../config/config-error.ts";
import { readArguments } from "../control/arguments.ts";
import { hashPassword } from "../hooks/password.ts";

const HELP = `hp-proxy hash-password: the hash of a password, for basicAuth

  hp-proxy hash-password              asks for the password
  hp-proxy hash-password <FILE        takes the first line of standard input

Prints the hash (scrypt) for users: {NAME: HASH}, or for a line NAME:HASH of a file.
`;

/** It is not repeated here. */
const SEEN =
  "a password as an argument can be seen by everybody on this machine; choose another, write it to standard input";

/** Resolves to the exit status. */
export async function runHashPassword(argv: readonly string[]): Promise<number> {
  const words = argv.length;
  const given = readArguments(argv, { valued: [], switches: ["help"], short: { h: "help" }, words });
  if (given.switches.has("help")) {
    process.stdout.write(HELP);
    return 0;
  }
  if (given.errors.length > 0) {
    process.stderr.write(errorsText("hp-proxy hash-password", given.errors, ""));
    return 1;
  }
  if (given.words.length > 0) {
    process.stderr.write(`hp-proxy hash-password: ${SEEN}\n`);
    return 1;
  }
  const password = await firstLine();
  if (password === "") {
    process.stderr.write("hp-proxy hash-password: no password; write one line to standard input\n");
    return 1;
  }
  process.stdout.write(`${await hashPassword(password)}\n`);
  return 0;
}

/** Not shown where it is typed. */
async function firstLine(): Promise<string> {
  const isTyped = process.stdin.isTTY === true;
  if (isTyped) process.stderr.write("Password: ");
  const nowhere = new Writable({ write: (_piece, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: isTyped });
  for await (const line of lines) {
    lines.close();
    if (isTyped) process.stderr.write("\n");
    // Some programs begin a text with a byte order mark, which nobody would type.
    return line.replace(/^\ufeff/, "");
  }
  return "";
}
