/**
 * Reads what V8 writes with `--perf-prof` (`jit-PID.dump`, in the format of perf's jitdump): which code it put where,
 * and which line of source each piece of it comes from.
 *
 * V8 14.6 gives some records a length that is not theirs; a reader that trusts it loses the rest of the file. Where no
 * record can begin, the next place at which two fit behind each other is looked for.
 */

/** A function as the compilers made it. */
export interface CompiledCode {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
  /** Ascending by address: from there on the code is of that line. */
  readonly lines: readonly SourceLine[];
}

export interface SourceLine {
  readonly address: number;
  /** As V8 names it: a URL, with the place of the function behind it. */
  readonly file: string;
  readonly line: number;
}

const HEADER_LENGTH_AT = 8;
const RECORD_HEADER_BYTES = 16;
const CODE_LOAD = 0;
const DEBUG_INFO = 2;
const UNWINDING_INFO = 4;
const KINDS: readonly number[] = [CODE_LOAD, DEBUG_INFO, UNWINDING_INFO];
const RECORD_BYTES_MAX = 4_000_000;
const CODE_NAME_AT = 56;
const ENTRIES_AT = 32;
const ENTRY_BYTES = 16;

/** The code that lay last at each address. Throws where `dump` is no such file. */
export function readJitDump(dump: Buffer): CompiledCode[] {
  if (dump.length < RECORD_HEADER_BYTES || dump.toString("latin1", 0, 4) !== "DTiJ")
    throw new Error("this is no file of --perf-prof");
  const lines = new Map<number, readonly SourceLine[]>();
  const code = new Map<number, CompiledCode>();
  let at = dump.readUInt32LE(HEADER_LENGTH_AT);
  while (at + RECORD_HEADER_BYTES <= dump.length) {
    const bytes = recordBytes(dump, at);
    if (bytes === 0) {
      at = nextRecord(dump, at + 1);
      continue;
    }
    const kind = dump.readUInt32LE(at);
    if (kind === DEBUG_INFO) readLines(dump, at, lines);
    else if (kind === CODE_LOAD) {
      const address = Number(dump.readBigUInt64LE(at + 32));
      const name = textAt(dump, at + CODE_NAME_AT);
      const size = Number(dump.readBigUInt64LE(at + 40));
      // Its lines are told before it.
      code.set(address, { name, address, bytes: size, lines: lines.get(address) ?? [] });
      lines.delete(address);
    }
    at += bytes;
  }
  return [...code.values()].sort((one, other) => one.address - other.address);
}

/** Length of the record at `at`, 0 where none can begin. */
function recordBytes(dump: Buffer, at: number): number {
  if (at + RECORD_HEADER_BYTES > dump.length) return 0;
  const bytes = dump.readUInt32LE(at + 4);
  const isOne = KINDS.includes(dump.readUInt32LE(at)) && bytes > RECORD_HEADER_BYTES;
  return isOne && bytes < RECORD_BYTES_MAX && at + bytes <= dump.length ? bytes : 0;
}

/** The first place from `at` on where a record is followed by another, or the end. */
function nextRecord(dump: Buffer, at: number): number {
  for (; at + RECORD_HEADER_BYTES <= dump.length; at++) {
    const bytes = recordBytes(dump, at);
    if (bytes > 0 && recordBytes(dump, at + bytes) > 0) return at;
  }
  return dump.length;
}

function readLines(dump: Buffer, at: number, lines: Map<number, readonly SourceLine[]>): void {
  const address = Number(dump.readBigUInt64LE(at + RECORD_HEADER_BYTES));
  const count = Number(dump.readBigUInt64LE(at + RECORD_HEADER_BYTES + 8));
  const found: SourceLine[] = [];
  let pos = at + ENTRIES_AT;
  for (let i = 0; i < count && pos + ENTRY_BYTES < dump.length; i++) {
    const file = textAt(dump, pos + ENTRY_BYTES);
    const line = dump.readUInt32LE(pos + 8);
    found.push({ address: Number(dump.readBigUInt64LE(pos)), file, line });
    pos += ENTRY_BYTES + file.length + 1;
  }
  lines.set(
    address,
    found.sort((one, other) => one.address - other.address),
  );
}

/** The text that ends with NUL at `at`. */
function textAt(dump: Buffer, at: number): string {
  const end = dump.indexOf(0, at);
  return dump.toString("latin1", at, end < 0 ? dump.length : end);
}
