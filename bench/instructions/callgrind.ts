/** Reads what callgrind writes with `--dump-instr=yes`: how often each instruction of a program ran. */

/**
 * Executions by address. Addresses are hexadecimal, or `+N`, `-N` and `*` relative to the one before; the line behind
 * `calls=` has what the called function took, which is counted where it ran.
 */
export function readCallgrind(text: string): Map<number, number> {
  const counts = new Map<number, number>();
  let address = 0;
  let isOfCall = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("calls=")) isOfCall = true;
    if (!/^(0x|[+\-*])/.test(line)) continue;
    const fields = line.split(" ");
    address = addressOf(fields[0]!, address);
    if (!isOfCall) counts.set(address, (counts.get(address) ?? 0) + Number(fields.at(-1)));
    isOfCall = false;
  }
  return counts;
}

function addressOf(text: string, before: number): number {
  if (text === "*") return before;
  if (text.startsWith("+")) return before + Number(text.slice(1));
  return text.startsWith("-") ? before - Number(text.slice(1)) : Number(text);
}
