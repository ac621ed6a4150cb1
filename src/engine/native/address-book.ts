/**
 * Addresses in the kernel's form, made once per text and kept in memory that the kernel can read.
 *
 * Its size is the number of different backends ever connected to, at 128 bytes each.
 */
import { type Mapping, mapMemory } from "./memory.ts";
import { encodeAddress, SOCKADDR_BYTES } from "./sockaddr.ts";

const CHUNK_COUNT = 256;

export interface AddressRecord {
  /** Of `struct sockaddr`, in this process. */
  readonly address: number;
  readonly bytes: number;
  /** AF_INET, AF_INET6 or AF_UNIX. */
  readonly family: number;
}

export class AddressBook {
  readonly #records = new Map<string, AddressRecord>();
  readonly #chunks: Mapping[] = [];
  #lastText = "";
  #lastRecord: AddressRecord | undefined;

  /** The record of `text`, or `undefined` when it is not an address. */
  lookup(text: string): AddressRecord | undefined {
    if (text === this.#lastText) return this.#lastRecord;
    const record = this.#records.get(text) ?? this.#make(text);
    this.#lastText = text;
    this.#lastRecord = record;
    return record;
  }

  #make(text: string): AddressRecord | undefined {
    const index = this.#records.size % CHUNK_COUNT;
    if (index === 0 && this.#chunks.length * CHUNK_COUNT === this.#records.size) {
      this.#chunks.push(mapMemory(CHUNK_COUNT * SOCKADDR_BYTES));
    }
    const chunk = this.#chunks.at(-1)!;
    const at = index * SOCKADDR_BYTES;
    const into = new Uint8Array(chunk.buffer);
    const bytes = encodeAddress(text, into, at);
    if (bytes < 0) return undefined;
    const record = { address: chunk.address + at, bytes, family: into[at]! };
    this.#records.set(text, record);
    return record;
  }
}
