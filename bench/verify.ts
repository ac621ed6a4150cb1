/**
 * Whether answers are right, as clients under load get them: several connections at once, kept open where the
 * scenario keeps them, several requests one behind the other on each, or pipelined where it pipelines. Before
 * a measurement the answers must be those of the backend; beside the load they must stay so.
 *
 * Strategy: what is asked for differs by connection and by turn, so that an answer to somebody else's request,
 * or to an earlier one, is a wrong answer. Bodies of requests are compared too: where a scenario uploads, every
 * second one goes to the backend's mirror, which answers with the hash of what has reached it.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import { Prng } from "../src/base/prng.ts";
import type { Scenario } from "./scenarios.ts";
import { type Head, Wire, Wrong } from "./soak/wire.ts";

const CHECK_TIMEOUT_MS = 10_000;
/** Between two samples beside the load: they shall cost little of what is measured. */
const SAMPLE_INTERVAL_MS = 100;
/** Connections that are checked at one time, and how often each asks before a measurement. */
const CONNECTIONS = 4;
const TURNS = 4;
/** Where the backend answers with length and hash of what it was sent. */
const MIRROR_PATH = "/mirror";

/** Answers by connection and turn; those of a pipelined batch are one text, in order. Errors are texts too. */
export type Answers = readonly (readonly string[])[];

/** Requests that are sent at once, by connection and turn. */
type Visits = readonly (readonly (readonly Buffer[])[])[];

const visitsByScenario = new WeakMap<Scenario, Visits>();

/** Status, length and hash of the answers to requests of `scenario`. Never rejects. */
export async function answersOf(port: number, scenario: Scenario): Promise<Answers> {
  if (scenario.load === "web-socket") return [[await upgrade(port, scenario)]];
  return Promise.all(
    visitsOf(scenario).map(async (turns) => {
      const client = new Client(port);
      const answers: string[] = [];
      for (const requests of turns) answers.push(await client.ask(requests));
      client.leave();
      return answers;
    }),
  );
}

/** What is first wrong with `answers`, in words; "" when they are as `expected`. */
export function firstWrong(answers: Answers, expected: Answers): string {
  for (let connection = 0; connection < expected.length; connection++)
    for (let turn = 0; turn < expected[connection]!.length; turn++) {
      const wrong = difference(answers[connection]?.[turn] ?? "nothing", expected[connection]![turn]!);
      if (wrong !== "") return `${wrong} (connection ${connection + 1}, turn ${turn + 1})`;
    }
  return "";
}

/** Of pipelined answers the first that differs. */
function difference(answer: string, expected: string): string {
  if (answer === expected) return "";
  const [got, wanted] = [answer.split(", "), expected.split(", ")];
  const at = wanted.findIndex((one, index) => one !== got[index]);
  if (got.length !== wanted.length || at < 0) return `${answer} instead of ${expected}`;
  return `${got[at]} instead of ${wanted[at]}${wanted.length > 1 ? `, answer ${at + 1}` : ""}`;
}

/** The first answer that does not begin with `start`; "" when all do. */
export function firstUnlike(answers: Answers, start: string): string {
  const found = answers.flat().find((answer) => !answer.startsWith(start));
  return found === undefined ? "" : `${found} instead of ${start}`;
}

function visitsOf(scenario: Scenario): Visits {
  const known = visitsByScenario.get(scenario);
  if (known !== undefined) return known;
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
  const visits = numbers(CONNECTIONS).map((connection) =>
    numbers(TURNS).map((turn) =>
      numbers(scenario.pipeline).map((place) => requestOf(scenario, connection, turn, place)),
    ),
  );
  visitsByScenario.set(scenario, visits);
  return visits;
}

/** Every second request is one whose answer nobody else gets, where the backend knows such. */
function requestOf(scenario: Scenario, connection: number, turn: number, place: number): Buffer {
  const { method, fields, bodyBytes, kind, backend, path } = scenario;
  const isOwn = (turn + place) % 2 === 1 && kind === "proxy" && backend === "files";
  const unique = `${connection}-${turn}-${place}`;
  const target = !isOwn ? path : bodyBytes > 0 ? MIRROR_PATH : `/order/${unique}`;
  const lines = Object.entries({
    Host: "check.example",
    ...fields,
    ...(bodyBytes > 0 && { "Content-Length": bodyBytes }),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
  const body = isOwn ? noise(bodyBytes, connection * TURNS + turn + 1) : Buffer.alloc(bodyBytes, "x");
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

/** Bytes without a pattern: whatever is lost, doubled or moved changes their hash. */
function noise(bytes: number, seed: number): Buffer {
  const prng = new Prng(seed);
  return Buffer.from(Uint8Array.from({ length: bytes }, () => prng.below(256)));
}

/** One connection, opened when it is needed and kept until somebody has said that it closes. */
class Client {
  readonly #port: number;
  #wire: Wire | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends `requests` at once. The answers in order, or what went wrong: then the next call connects anew. */
  async ask(requests: readonly Buffer[]): Promise<string> {
    try {
      return await this.#exchange(requests);
    } catch (error) {
      this.leave();
      return (error as Error).message;
    }
  }

  leave(): void {
    this.#wire?.socket.destroy();
    this.#wire = undefined;
  }

  async #exchange(requests: readonly Buffer[]): Promise<string> {
    this.#wire ??= await Wire.open(this.#port);
    const wire = this.#wire;
    if (wire.unreadBytes() > 0) throw new Wrong("bytes that nobody has asked for");
    await wire.write(Buffer.concat(requests));
    const answers: string[] = [];
    for (let left = requests.length - 1; left >= 0; left--) {
      const head = await wire.head();
      answers.push(await readBody(wire, head));
      if (!closes(head)) continue;
      if (left > 0) throw new Wrong(`closed with ${left} requests unanswered`);
      await wire.leave();
      this.#wire = undefined;
      return answers.join(", ");
    }
    if (wire.unreadBytes() > 0) throw new Wrong("bytes behind the last answer");
    return answers.join(", ");
  }
}

async function readBody(wire: Wire, head: Head): Promise<string> {
  const hash = createHash("sha256");
  const bytes = await wire.body(head, (piece) => hash.update(piece));
  return `${head.status} with ${bytes} bytes ${hash.digest("hex").slice(0, 12)}`;
}

function closes({ fields }: Head): boolean {
  const hasLength = fields.has("content-length") || fields.has("transfer-encoding");
  return !hasLength || /\bclose\b/i.test(fields.get("connection") ?? "");
}

/** Messages are compared by the load itself; here only that a connection is upgraded. Never rejects. */
function upgrade(port: number, scenario: Scenario): Promise<string> {
  return new Promise((resolve) => {
    const request = http.request({
      host: "127.0.0.1",
      port,
      path: scenario.path,
      agent: false,
      timeout: CHECK_TIMEOUT_MS,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    request.on("upgrade", (response, socket) => {
      socket.on("error", () => {});
      socket.destroy();
      resolve(`${response.statusCode} ${response.headers["sec-websocket-accept"]}`);
    });
    request.on("response", (response) => {
      response.resume();
      resolve(`${response.statusCode} instead of an upgrade`);
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) => resolve(error.message));
    request.end();
  });
}

/** What sampling saw: how many turns, and the first that was wrong, "" for none. */
export interface Samples {
  readonly count: number;
  readonly wrong: string;
}

/**
 * Asks again and again on connections of its own, each in turn and kept all the time, until the function
 * returned is called; that resolves to what was seen.
 */
export function sample(port: number, scenario: Scenario, expected: Answers): () => Promise<Samples> {
  let isOver = false;
  let count = 0;
  let wrong = "";
  const wake = new AbortController();
  const isUpgrade = scenario.load === "web-socket";
  const visits = isUpgrade ? [] : visitsOf(scenario);
  const clients = visits.map(() => new Client(port));
  const loop = async () => {
    while (!isOver) {
      const connection = count % expected.length;
      const turn = Math.floor(count / expected.length) % expected[connection]!.length;
      const answer = isUpgrade
        ? await upgrade(port, scenario)
        : await clients[connection]!.ask(visits[connection]![turn]!);
      count++;
      wrong ||= difference(answer, expected[connection]![turn]!);
      await pause(wake.signal);
    }
    for (const client of clients) client.leave();
  };
  const done = loop();
  return async () => {
    isOver = true;
    wake.abort();
    await done;
    return { count, wrong };
  };
}

/** Resolves after the interval, or when `signal` is aborted. */
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, SAMPLE_INTERVAL_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
