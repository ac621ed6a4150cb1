/**
 * Which clients get in: not more than `clientsMax` on this worker, nor more than `clientsPerAddressMax` from
 * one address (of IPv6, one /64: what a single host is given).
 *
 * Strategy: addresses are counted only while that limit is set. They stand in a chained hash table of fixed
 * size, one entry for each address that is connected, and each connection remembers its entry, so that
 * leaving is a few stores. The hash begins with a number that clients do not know: who owns many networks
 * could otherwise put all of them into one chain.
 */
import { textOf } from "../base/bytes.ts";
import { parseIp } from "../base/ip-address.ts";
import { Counter } from "../contract/counters.ts";
import type { Port } from "../contract/port.ts";
import type { Limits } from "../contract/snapshot.ts";

const NONE = -1;
/** Stands for the upper half of an IPv4 address; 0000::/8 is nobody's IPv6 network (RFC 4291 §4). */
const IPV4_UPPER = 0xffff;

export class Admission {
  readonly #port: Port;
  readonly #counters: Float64Array;
  readonly #seed: number;
  /** Made when `clientsPerAddressMax` is set for the first time. */
  #addresses: AddressTable | null = null;

  /** `seed`: any number that clients cannot guess. */
  constructor(port: Port, counters: Float64Array, seed: number) {
    this.#port = port;
    this.#counters = counters;
    this.#seed = seed | 0;
    counters[Counter.clientsOpen] = 0;
  }

  /** Counts the new client `connection` in. `false`: it is refused, and was reset. */
  admit(connection: number, limits: Limits): boolean {
    const counters = this.#counters;
    if (counters[Counter.clientsOpen]! >= limits.clientsMax) {
      this.#refuse(connection, Counter.refusedClientsMax);
      return false;
    }
    if (limits.clientsPerAddressMax > 0 && !this.#admitAddress(connection, limits.clientsPerAddressMax)) {
      this.#refuse(connection, Counter.refusedClientsPerAddress);
      return false;
    }
    counters[Counter.clientsAccepted] = counters[Counter.clientsAccepted]! + 1;
    counters[Counter.clientsOpen] = counters[Counter.clientsOpen]! + 1;
    return true;
  }

  /** Counts `connection` out; once for each that was admitted, before the engine can give its number anew. */
  leave(connection: number): void {
    this.#counters[Counter.clientsOpen] = this.#counters[Counter.clientsOpen]! - 1;
    if (this.#addresses !== null) this.#addresses.remove(connection);
  }

  #refuse(connection: number, counter: Counter): void {
    const counters = this.#counters;
    counters[counter] = counters[counter]! + 1;
    counters[Counter.clientsRefused] = counters[Counter.clientsRefused]! + 1;
    this.#port.reset(connection);
  }

  /** `true` also where the address cannot be learnt: a Unix socket has none, and slots may have run out. */
  #admitAddress(connection: number, max: number): boolean {
    const { buffers, connectionsMax } = this.#port;
    const slot = buffers.acquireSmall();
    if (slot < 0) return true;
    const text = textOf(buffers.memory, slot, this.#port.writePeerAddress(connection, slot));
    buffers.release(slot);
    const zone = text.indexOf("%");
    const address = parseIp(zone < 0 ? text : text.slice(0, zone));
    if (address === undefined) return true;
    this.#addresses ??= new AddressTable(connectionsMax, this.#seed);
    return this.#addresses.add(connection, address, max);
  }
}

/** How many connections stand for each address. */
export class AddressTable {
  readonly #seed: number;
  readonly #mask: number;
  /** First entry of each bucket. */
  readonly #buckets: Int32Array;
  /** By entry: the next one in its bucket, or in the list of free entries. */
  readonly #next: Int32Array;
  readonly #upper: Int32Array;
  readonly #lower: Int32Array;
  readonly #count: Int32Array;
  /** By connection. */
  readonly #entries: Int32Array;
  #free = 0;

  constructor(connections: number, seed: number) {
    const buckets = 2 ** Math.ceil(Math.log2(connections));
    this.#seed = seed;
    this.#mask = buckets - 1;
    this.#buckets = new Int32Array(buckets).fill(NONE);
    this.#next = new Int32Array(connections);
    for (let entry = 0; entry < connections; entry++) this.#next[entry] = entry + 1;
    this.#upper = new Int32Array(connections);
    this.#lower = new Int32Array(connections);
    this.#count = new Int32Array(connections);
    this.#entries = new Int32Array(connections).fill(NONE);
  }

  /**
   * Adds `connection` to those from `address` (16 bytes). `false`: there are `max` already, and it is not
   * added.
   */
  add(connection: number, address: Uint8Array, max: number): boolean {
    const isIpv4 = wordAt(address, 0) === 0 && wordAt(address, 4) === 0 && wordAt(address, 8) === IPV4_UPPER;
    const upper = isIpv4 ? IPV4_UPPER : wordAt(address, 0);
    const lower = isIpv4 ? wordAt(address, 12) : wordAt(address, 4);
    const bucket = this.#bucketOf(upper, lower);
    let entry = this.#buckets[bucket]!;
    while (entry !== NONE && (this.#upper[entry] !== upper || this.#lower[entry] !== lower)) {
      entry = this.#next[entry]!;
    }
    if (entry === NONE) {
      entry = this.#free;
      this.#free = this.#next[entry]!;
      this.#upper[entry] = upper;
      this.#lower[entry] = lower;
      this.#count[entry] = 0;
      this.#next[entry] = this.#buckets[bucket]!;
      this.#buckets[bucket] = entry;
    }
    // A new entry always gets its connection: `max` is positive.
    if (this.#count[entry]! >= max) return false;
    this.#count[entry] = this.#count[entry]! + 1;
    this.#entries[connection] = entry;
    return true;
  }

  /** Takes `connection` out again; nothing happens when it was never added. */
  remove(connection: number): void {
    const entry = this.#entries[connection]!;
    if (entry === NONE) return;
    this.#entries[connection] = NONE;
    this.#count[entry] = this.#count[entry]! - 1;
    if (this.#count[entry]! > 0) return;
    const bucket = this.#bucketOf(this.#upper[entry]!, this.#lower[entry]!);
    if (this.#buckets[bucket] === entry) this.#buckets[bucket] = this.#next[entry]!;
    else {
      let before = this.#buckets[bucket]!;
      while (this.#next[before] !== entry) before = this.#next[before]!;
      this.#next[before] = this.#next[entry]!;
    }
    this.#next[entry] = this.#free;
    this.#free = entry;
  }

  #bucketOf(upper: number, lower: number): number {
    let hash = Math.imul(upper ^ this.#seed, 0x9e37_79b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ lower, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    return (hash ^ (hash >>> 16)) & this.#mask;
  }
}

/** Four bytes as a signed number. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
