/** Which addresses to listen on take the same connections. */
import { isIP, SocketAddress } from "node:net";

/** `host`: an IP address without brackets, a name, or "" for every address. */
export interface ListenPlace {
  readonly host: string;
  readonly port: number;
}

export interface Overlap {
  /** Index of the one that has all connections of the other. */
  readonly wide: number;
  /** Index of the one that there is no need for; behind the other, when they are the same. */
  readonly narrow: number;
  readonly isSame: boolean;
}

/** `127.0.0.1:80`, `[::1]:80`, or `:80` for every address. */
export function listenText({ host, port }: ListenPlace): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/**
 * Those of `all` that are the same as another one, or a part of it; each once. Port 0 is another one each time. `::`
 * takes IPv4 too, but where `0.0.0.0` is there with the same port: the system gives it what is IPv4 then. What a name
 * stands for is not known here: it is a part of what takes everything.
 */
export function overlapsOf(all: readonly ListenPlace[]): Overlap[] {
  const places = all.map(({ host, port }) => ({ host: canonical(host), port }));
  const found: Overlap[] = [];
  for (const [narrow, place] of places.entries()) {
    if (place.port === 0) continue;
    const near = (other: ListenPlace) => other.port === place.port;
    const isPair = places.some((other) => near(other) && other.host === "0.0.0.0");
    const same = places.findIndex((other) => near(other) && other.host === place.host);
    if (same < narrow) found.push({ wide: same, narrow, isSame: true });
    else {
      const wide = places.findIndex((other) => near(other) && isPart(place.host, other.host, isPair));
      if (wide >= 0) found.push({ wide, narrow, isSame: false });
    }
  }
  return found;
}

/**
 * Whether a socket at `one` that shares its port with nobody cannot be open beside a listener at `other`: `::` takes
 * what is IPv4 from `0.0.0.0` then.
 */
export function isInTheWay(one: ListenPlace, other: ListenPlace): boolean {
  if (overlapsOf([one, other]).length > 0) return true;
  const hosts = [canonical(one.host), canonical(other.host)];
  return one.port === other.port && one.port !== 0 && hosts.includes("::") && hosts.includes("0.0.0.0");
}

/** One address is written in many ways in IPv6. */
function canonical(host: string): string {
  return isIP(host) === 6 ? new SocketAddress({ address: host, family: "ipv6" }).address : host;
}

/** `isPair`: `::` has only IPv6. */
function isPart(narrow: string, wide: string, isPair: boolean): boolean {
  if (wide === "") return narrow !== "";
  if (wide === "0.0.0.0") return isIP(narrow) === 4 && narrow !== wide;
  if (wide !== "::" || narrow === wide || narrow === "") return false;
  return !isPair || isIP(narrow) === 6;
}
