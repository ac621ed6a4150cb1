/** What every command of this folder does alike: `--help`, arguments that are wrong, and the exit status. */

/** An argument cannot be what was meant: `message` says which, and what to write. */
export class WrongArguments extends Error {
  override readonly name = "WrongArguments";
}

/** Exit status for arguments that are wrong; nothing was done then. */
const STATUS_ARGUMENTS = 2;

/**
 * Runs `main` with the arguments of this process, or prints `help` where it is asked for. `main` resolves to the exit
 * status. `name` begins what is told of errors; they end with `failedStatus`, and with 2 where an argument is wrong.
 */
export async function runCommand(
  name: string,
  help: string,
  main: (argv: readonly string[]) => Promise<number>,
  failedStatus = 1,
): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(help);
    return;
  }
  try {
    process.exitCode = await main(argv);
  } catch (error) {
    const { message, stack } = error as Error;
    const isArgument = error instanceof WrongArguments || isOfParseArgs(error);
    const remedy = isOfParseArgs(error) ? "; --help lists what there is" : "";
    const isKnown = isArgument || (error as Error).constructor === Error;
    process.stderr.write(`${name}: ${isKnown ? message.replace(/\.$/, "") + remedy : stack}\n`);
    process.exitCode = isArgument ? STATUS_ARGUMENTS : failedStatus;
  }
}

/** Thrown by `parseArgs` of node:util. */
function isOfParseArgs(error: unknown): boolean {
  return String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS_");
}

/** Throws `WrongArguments` when `text` is no whole number of at least `min`. */
export function wholeNumber(flag: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  const example = Math.max(min, 3);
  throw new WrongArguments(`${flag}: "${text}" is not a whole number from ${min}; write ${flag} ${example}`);
}
