/**
 * The policy `basicAuth` (RFC 7617): only who has a password passes.
 *
 * A hash is made to be slow, so it is computed once for each pair of name and password, off this thread; what was right
 * is remembered for a while by a keyed hash. How many are computed at a time is bounded: guessing must not take the
 * machine. A name that there is not costs as much as one that there is.
 */
import { createHmac, randomBytes } from "node:crypto";
import type { BasicAuthLink } from "../contract/hooking.ts";
import type { HookAnswer, HookRequest, Hooks } from "./hooks.ts";
import { isPassword, type PasswordHash, readPasswordHash } from "./password.ts";

const KNOWN_MAX = 10_000;
const KNOWN_MS = 300_000;
/** As many as Node's thread pool has threads. */
const COMPUTING_MAX = 4;
const WAITING_MAX = 64;
const BUSY = "busy";

export function basicAuth({ realm, users, forwards, userField }: BasicAuthLink): Hooks {
  const verifier = new Verifier(users);
  const challenge = `Basic realm="${realm}", charset="UTF-8"`;
  const refusal: HookAnswer = {
    status: 401,
    headers: { "www-authenticate": challenge, "cache-control": "no-store" },
    body: "401 Unauthorized\n",
  };
  const busy: HookAnswer = {
    status: 503,
    headers: { "retry-after": "1" },
    body: "503 Service Unavailable\n",
  };
  const admit = (request: HookRequest, user: string): undefined => {
    if (!forwards) request.headers.delete("authorization");
    if (userField !== "") request.headers.set(userField, user);
  };
  return {
    onRequest(request) {
      const credentials = request.headers.get("authorization");
      if (credentials === null) return refusal;
      const key = verifier.keyOf(credentials);
      const known = verifier.known(key);
      if (known !== "") return admit(request, known);
      return verifier.verify(credentials, key).then((user) => {
        if (user === BUSY) return busy;
        return user === null ? refusal : admit(request, user.name);
      });
    },
  };
}

interface Known {
  readonly name: string;
  readonly untilMs: number;
}

class Verifier {
  readonly #users: ReadonlyMap<string, PasswordHash>;
  readonly #secret = randomBytes(32);
  readonly #known = new Map<string, Known>();
  /** Of those that are being verified, by key. */
  readonly #underWay = new Map<string, Promise<{ name: string } | null>>();
  readonly #waiting: (() => void)[] = [];
  #computing = 0;

  constructor(users: BasicAuthLink["users"]) {
    this.#users = new Map(users.map(([name, hash]) => [name, readPasswordHash(hash)!]));
  }

  keyOf(credentials: string): string {
    return createHmac("sha256", this.#secret).update(credentials, "latin1").digest("base64");
  }

  /** The user with these credentials, if they were right a moment ago; "" otherwise. */
  known(key: string): string {
    const known = this.#known.get(key);
    if (known === undefined) return "";
    if (known.untilMs > performance.now()) return known.name;
    this.#known.delete(key);
    return "";
  }

  /** Null: wrong. */
  async verify(credentials: string, key: string): Promise<{ name: string } | null | typeof BUSY> {
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return await underWay;
    const pair = readCredentials(credentials);
    if (pair === null) return null;
    if (this.#computing >= COMPUTING_MAX && this.#waiting.length >= WAITING_MAX) return BUSY;
    const work = this.#compute(pair.name, pair.password, key);
    this.#underWay.set(key, work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #compute(name: string, password: string, key: string): Promise<{ name: string } | null> {
    if (this.#computing >= COMPUTING_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#computing++;
    try {
      const hash = this.#users.get(name) ?? this.#users.values().next().value!;
      const isRight = (await isPassword(password, hash)) && this.#users.has(name);
      if (!isRight) return null;
      this.#remember(key, name);
      return { name };
    } finally {
      this.#computing--;
      this.#waiting.shift()?.();
    }
  }

  #remember(key: string, name: string): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, { name, untilMs: performance.now() + KNOWN_MS });
  }
}

/** Null: not of this scheme, or nothing that could be a name and a password. */
function readCredentials(credentials: string): { name: string; password: string } | null {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(credentials);
  if (match === null || match[1]!.length > 1_024) return null;
  const text = Buffer.from(match[1]!, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
