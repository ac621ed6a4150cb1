/**
 * Keeps the addresses of one host name up to date.
 *
 * - It asks again when the answer's TTL is over. A question that fails changes nothing: the last addresses
 *   stay.
 * - One family is used at a time. `localhost` is 127.0.0.1 and ::1, and a server listens often on only one of
 *   them; using both would send half of the requests into a refusal. IPv4 is taken, unless only IPv6 accepts
 *   connections; that is tried when the addresses change, and again as long as none accepts.
 */
import { checkTcp } from "./health-check.ts";
import { type NameAnswer, type NameLookup, UNKNOWN_TTL_MS } from "./name-lookup.ts";

/** Whether an address (as `Port.connect` takes it) accepts a connection now. */
export type Probe = (address: string, signal: AbortSignal) => Promise<boolean>;

const PROBE_TIMEOUT_MS = 1_000;
/** While a name has no address at all. */
const RETRY_MS = 1_000;

export const tcpProbe: Probe = async (address, signal) =>
  (await checkTcp(address, PROBE_TIMEOUT_MS, signal)) === "";

export interface NameWatchEvents {
  /** The addresses in use are others than before. */
  changed(): void;
  /**
   * A question failed (`code` says why), or worked again after it had failed (""). Not called for the same
   * twice in a row.
   */
  lookedUp(code: string): void;
}

export class NameWatch {
  /** In `Port.connect`'s form, in order. Empty until the first good answer. */
  addresses: readonly string[] = [];
  readonly #host: string;
  readonly #port: number;
  readonly #lookup: NameLookup;
  readonly #probe: Probe;
  readonly #events: NameWatchEvents;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #lastCode = "";
  #lastAnswer = "";
  #settled = false;

  constructor(host: string, port: number, lookup: NameLookup, probe: Probe, events: NameWatchEvents) {
    this.#host = host;
    this.#port = port;
    this.#lookup = lookup;
    this.#probe = probe;
    this.#events = events;
  }

  /**
   * Asks for the first time, and from now on by itself. Resolves when the first answer, good or bad, has been
   * taken.
   */
  async start(): Promise<void> {
    await this.#refresh();
  }

  /** Why the last question failed; "" when it did not. */
  get failure(): string {
    return this.#lastCode;
  }

  /** An address in use does not accept: the family is chosen anew with the next answer. */
  doubt(): void {
    this.#settled = false;
  }

  stop(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  async #refresh(): Promise<void> {
    let waitMs = this.addresses.length === 0 ? RETRY_MS : UNKNOWN_TTL_MS;
    let code = "";
    try {
      const answer = await this.#lookup(this.#host);
      waitMs = answer.ttlMs;
      await this.#take(answer);
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code ?? String(error);
    }
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#refresh(), waitMs);
    if (code === this.#lastCode) return;
    this.#lastCode = code;
    this.#events.lookedUp(code);
  }

  async #take({ ipv4, ipv6 }: NameAnswer): Promise<void> {
    const four = ipv4.map((address) => `${address}:${this.#port}`);
    const six = ipv6.map((address) => `[${address}]:${this.#port}`);
    const answer = [...four, ...six].join(" ");
    if (answer === this.#lastAnswer && this.#settled) return;
    this.#lastAnswer = answer;
    const used = await this.#choose(four, six);
    if (this.#abort.signal.aborted || used.join(" ") === this.addresses.join(" ")) return;
    this.addresses = used;
    this.#events.changed();
  }

  async #choose(four: readonly string[], six: readonly string[]): Promise<readonly string[]> {
    this.#settled = true;
    if (four.length === 0 || six.length === 0) return four.length > 0 ? four : six;
    if (await this.#anyAccepts(four)) return four;
    if (await this.#anyAccepts(six)) return six;
    this.#settled = false;
    return this.addresses.length > 0 && six.includes(this.addresses[0]!) ? six : four;
  }

  async #anyAccepts(addresses: readonly string[]): Promise<boolean> {
    const accepted = await Promise.all(addresses.map((address) => this.#probe(address, this.#abort.signal)));
    return accepted.includes(true);
  }
}
