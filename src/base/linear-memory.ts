/**
 * Memory that WebAssembly code can work on as well as JavaScript and the kernel.
 *
 * Strategy: a module has one memory, so code that is to read messages where they arrived needs them to arrive in its
 * memory. Behind what is asked for lies some room for its tables and results. Untouched pages cost nothing.
 */

/** `WebAssembly`, as far as it is used; the language's own library does not declare it. */
export interface WebAssemblyApi {
  readonly Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

/** Absent where Node.js runs without compilers (`--jitless`). */
export function webAssembly(): WebAssemblyApi | undefined {
  return (globalThis as unknown as { WebAssembly?: WebAssemblyApi }).WebAssembly;
}

export interface LinearMemory {
  /** A `WebAssembly.Memory`, to be imported by modules. */
  readonly memory: object;
  readonly buffer: ArrayBuffer;
  /** From here to the end of the buffer, `WORK_BYTES`: for the tables and results of one module. */
  readonly workStart: number;
}

const PAGE_BYTES = 65_536;
/** Also more than any load reads past the end of a message. */
export const WORK_BYTES: number = PAGE_BYTES;

/** At least `bytes` of zeros and room for work behind them; null where there is no WebAssembly or no memory. */
export function linearMemory(bytes: number): LinearMemory | null {
  const api = webAssembly();
  if (api === undefined) return null;
  try {
    const memory = new api.Memory({ initial: Math.ceil((bytes + WORK_BYTES) / PAGE_BYTES) });
    return { memory, buffer: memory.buffer, workStart: memory.buffer.byteLength - WORK_BYTES };
  } catch {
    // A limit of address space, of which each such memory reserves some gigabytes.
    return null;
  }
}
