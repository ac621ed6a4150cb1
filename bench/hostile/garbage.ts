/** Connections that are no HTTP, or end before they are: each opens, says something, and goes. */
import { connect, type Socket } from "node:net";
import { Prng } from "../../src/base/prng.ts";

const HUGE_HEAD_BYTES = 100_000;
/** Loopback addresses to come from, so that ports last. */
const SOURCES = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
/** Those who wait for the other side's end wait no longer than this. */
const PATIENCE_MS = 30_000;
const GET = "GET / HTTP/1.1\r\nHost: garbage.example\r\n";

/** What is said, and how it ends: `wait` is until the other side is done with it. */
interface Kind {
  readonly name: string;
  readonly end: "wait" | "close" | "reset" | "fin";
  say(chance: Prng): string | Uint8Array;
}

export const GARBAGE: readonly Kind[] = [
  { name: "nothing, closed", end: "close", say: () => "" },
  { name: "nothing, reset", end: "reset", say: () => "" },
  { name: "nothing, FIN", end: "fin", say: () => "" },
  {
    name: "random bytes",
    end: "wait",
    say: (chance) => withEnd(randomBytes(chance, chance.between(1, 3_000))),
  },
  {
    name: "random bytes, reset",
    end: "reset",
    say: (chance) => randomBytes(chance, chance.between(1, 3_000)),
  },
  { name: "half a head, closed", end: "close", say: () => GET },
  { name: "half a head, FIN", end: "fin", say: () => GET },
  { name: "half a head, reset", end: "reset", say: () => GET.slice(0, 12) },
  { name: "a TLS hello", end: "wait", say: (chance) => clientHello(chance) },
  { name: "the preface of HTTP/2", end: "wait", say: () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
  { name: "a huge field", end: "wait", say: () => `${GET}X: ${"x".repeat(HUGE_HEAD_BYTES)}` },
  { name: "a huge target", end: "wait", say: () => `GET /${"x".repeat(HUGE_HEAD_BYTES)} HTTP/1.1\r\n` },
  { name: "many fields", end: "wait", say: () => `${GET}${"a: b\r\n".repeat(2_000)}\r\n` },
  { name: "two lengths", end: "wait", say: () => `${GET}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx` },
  {
    name: "an upload, reset",
    end: "reset",
    say: () => `POST ${GET.slice(4)}Content-Length: 9999\r\n\r\nabc`,
  },
  {
    name: "bad chunks",
    end: "wait",
    say: () => `POST ${GET.slice(4)}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
  },
];

/**
 * Opens `count` connections to 127.0.0.1:`port`, `atOnce` at a time, each of the next kind. Resolves with how
 * many of those that wait were ended by the other side, and how many were not within half a minute.
 */
export async function throwGarbage(
  port: number,
  count: number,
  atOnce: number,
  seed: number,
): Promise<{ ended: number; left: number }> {
  const chance = new Prng(seed);
  const result = { ended: 0, left: 0 };
  let next = 0;
  const one = async () => {
    while (next < count) {
      const number = next++;
      const kind = GARBAGE[number % GARBAGE.length]!;
      const isEnded = await throwOne(port, SOURCES[number % SOURCES.length]!, kind, chance);
      if (kind.end === "wait" && isEnded) result.ended++;
      else if (!isEnded) result.left++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return result;
}

/** Resolves when the connection is over: true, unless it had to be ended from here after long waiting. */
function throwOne(port: number, localAddress: string, kind: Kind, chance: Prng): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress, allowHalfOpen: kind.end === "wait" });
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      socket.destroy();
    }, PATIENCE_MS);
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(late);
      resolve(!isLate);
    });
    socket.on("connect", () => {
      const text = kind.say(chance);
      const isEmpty = text.length === 0;
      const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
      if (isEmpty) leave(socket, kind);
      else socket.write(bytes, () => leave(socket, kind));
    });
    socket.resume();
  });
}

function leave(socket: Socket, { end }: Kind): void {
  if (end === "close") socket.destroy();
  else if (end === "reset") socket.resetAndDestroy();
  else if (end === "fin") socket.end();
}

function randomBytes(chance: Prng, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => chance.below(256));
}

/** Ends what might be the beginning of a head. */
function withEnd(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.from("\r\n\r\n")]);
}

/** A TLS 1.2 record that says it holds a ClientHello of 512 bytes. */
function clientHello(chance: Prng): Uint8Array {
  const head = Buffer.from("160301020001 0001fc0303".replaceAll(" ", ""), "hex");
  return Buffer.concat([head, randomBytes(chance, 517 - head.length)]);
}
