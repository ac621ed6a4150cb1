/**
 * Asks what addresses a host name has, and for how long that holds.
 *
 * `dns.lookup` is the authority: it reads /etc/hosts and the system's other sources in the system's order,
 * but tells no TTL. So DNS is asked as well; when it knows every address that the lookup gave, its TTL
 * counts.
 */
import { lookup, Resolver } from "node:dns/promises";

export interface NameAnswer {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** How long the answer holds. */
  readonly ttlMs: number;
}

/** Rejects with an error whose `code` says why (ENOTFOUND, EAI_AGAIN). */
export type NameLookup = (host: string) => Promise<NameAnswer>;

/** Where the TTL is unknown, as for names in /etc/hosts. */
export const UNKNOWN_TTL_MS = 10_000;
/**
 * A TTL of 0 must not become a flood of questions; a long one must not outlive a move for long (Docker says
 * 600 s).
 */
const TTL_MIN_MS = 1_000;
const TTL_MAX_MS = 60_000;
const DNS_TIMEOUT_MS = 1_000;

const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 });

/** The system's own answer. */
export const systemLookup: NameLookup = async (host) => {
  const [found, ttls] = await Promise.all([lookup(host, { all: true, order: "ipv4first" }), ttlsOf(host)]);
  const byFamily = (family: number) =>
    [...new Set(found.filter((each) => each.family === family).map((each) => each.address))].sort();
  let ttlMs = TTL_MAX_MS;
  for (const { address } of found) ttlMs = Math.min(ttlMs, ttls.get(address) ?? UNKNOWN_TTL_MS);
  return { ipv4: byFamily(4), ipv6: byFamily(6), ttlMs: Math.max(ttlMs, TTL_MIN_MS) };
};

async function ttlsOf(host: string): Promise<Map<string, number>> {
  const ttls = new Map<string, number>();
  if (host === "localhost" || host.endsWith(".localhost")) return ttls;
  const answers = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ]);
  for (const answer of answers) {
    if (answer.status === "rejected") continue;
    for (const { address, ttl } of answer.value) ttls.set(address, ttl * 1000);
  }
  return ttls;
}
