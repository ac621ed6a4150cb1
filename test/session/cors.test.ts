/** Pages of other origins, over real connections: responses, preflights, answers of our own. */
import assert from "node:assert/strict";
import { parseNetwork } from "../../src/base/ip-address.ts";
import { Counter } from "../../src/contract/counters.ts";
import type { Cors, Routing } from "../../src/contract/routing.ts";
import { route } from "../route/asking.ts";
import { answerWith, withChain } from "./scripted-chain.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const CORS: Cors = {
  origins: ["https://a.example"],
  methods: ["GET", "PUT"],
  headers: ["X-Key"],
  credentials: true,
  maxAgeS: 60,
  exposedHeaders: ["X-Total"],
};
const ROUTING: Routing = {
  routes: [
    route("", { cors: CORS }),
    route("/any", { cors: { ...CORS, origins: ["*"], credentials: false, exposedHeaders: [] } }),
    route("/denied", { cors: CORS, deny: [parseNetwork("127.0.0.0/8")!] }),
    route("/put", { cors: CORS, methods: ["PUT", "PURGE"] }),
    route("/edited", {
      cors: CORS,
      responseFields: [
        { kind: "set", name: "X-Path", value: "$path" },
        { kind: "set", name: "Vary", value: "Accept" },
      ],
    }),
    route("/moved", { cors: CORS, action: { kind: "redirect", status: 308, location: "/x" } }),
    route("/plain"),
  ],
};
const ORIGIN = "Origin: https://a.example";
const OTHER = "Origin: https://evil.example";
const ASKS_PUT = "Access-Control-Request-Method: PUT";
const BACKEND =
  "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-allow-credentials: true\r\n" +
  "Access-Control-Expose-Headers: Secret\r\nAccess-Control-Max-Age: 1\r\nContent-Length: 0\r\n\r\n";

/** Sorted lines of the answer that are about CORS, and its status. */
async function ask(stage: Stage, line: string, ...fields: string[]): Promise<string[]> {
  const client = stage.client();
  client.write(`${[`${line} HTTP/1.1`, "Host: h", ...fields].join("\r\n")}\r\n\r\n`);
  const { head } = await client.message();
  client.close();
  const [status, ...lines] = head.trimEnd().split("\r\n");
  return [
    status!.split(" ")[1]!,
    ...lines.filter((each) => /^(access-control|vary|x-path)/i.test(each)).sort(),
  ];
}

function serve(stage: Stage): void {
  stage.backend.onPeer = (peer) => {
    peer.onBytes = () => peer.write(BACKEND);
  };
}

const ALLOWED = [
  "Access-Control-Allow-Credentials: true",
  "Access-Control-Allow-Origin: https://a.example",
  "Access-Control-Expose-Headers: X-Total",
  "Vary: Origin",
];

onEachEngine("cors: responses of a backend", { routing: ROUTING }, async (stage) => {
  serve(stage);
  assert.deepEqual(await ask(stage, "GET /", ORIGIN), ["200", ...ALLOWED]);
  assert.deepEqual(await ask(stage, "GET /", OTHER), ["200", "Vary: Origin"]);
  assert.deepEqual(await ask(stage, "GET /"), ["200", "Vary: Origin"]);
  assert.deepEqual(await ask(stage, "GET /any", OTHER), ["200", "Access-Control-Allow-Origin: *"]);
  assert.deepEqual(await ask(stage, "GET /any"), ["200", "Access-Control-Allow-Origin: *"]);
  assert.deepEqual(await ask(stage, "GET /edited", ORIGIN), [
    "200",
    ...ALLOWED.slice(0, 3),
    "Vary: Accept",
    "Vary: Origin",
    "X-Path: /edited",
  ]);
  // Whoever says nothing of CORS leaves it to the backend.
  const plain = await ask(stage, "GET /plain", ORIGIN);
  assert.equal(plain.length, 5);
});

onEachEngine("cors: preflights", { routing: ROUTING }, async (stage) => {
  serve(stage);
  const answered = [
    "204",
    "Access-Control-Allow-Credentials: true",
    "Access-Control-Allow-Headers: X-Key",
    "Access-Control-Allow-Methods: GET, PUT",
    "Access-Control-Allow-Origin: https://a.example",
    "Access-Control-Max-Age: 60",
    "Vary: Origin",
  ];
  assert.deepEqual(await ask(stage, "OPTIONS /", ORIGIN, ASKS_PUT), answered);
  assert.deepEqual(await ask(stage, "OPTIONS /put", ORIGIN, ASKS_PUT), answered);
  assert.deepEqual(await ask(stage, "OPTIONS /moved", ORIGIN, ASKS_PUT), answered);
  assert.equal(stage.backend.peers.length, 0, "no backend is asked");
  assert.deepEqual(stage.reasons, []);
  assert.deepEqual(await ask(stage, "OPTIONS /", OTHER, ASKS_PUT), ["403", "Vary: Origin"]);
  assert.deepEqual(stage.reasons, ["origin_denied"]);
  assert.equal(stage.counter(Counter.errorPolicy), 1);
  // Without one of its fields it is an OPTIONS as any other; so is one where nothing is said of CORS.
  assert.equal((await ask(stage, "OPTIONS /", ORIGIN))[0], "200");
  assert.equal((await ask(stage, "OPTIONS /plain", ORIGIN, ASKS_PUT))[0], "200");
});

onEachEngine(
  "cors: a preflight is about the method that it asks for",
  { routing: ROUTING },
  async (stage) => {
    const put = route("/put", { cors: { ...CORS, maxAgeS: 7 }, methods: ["PUT", "PURGE"] });
    stage.replace({ routing: { routes: [put] } });
    const maxAge = (lines: string[]) => lines.filter((line) => line.startsWith("Access-Control-Max-Age"));
    const asks = (method: string) => `Access-Control-Request-Method: ${method}`;
    for (const method of ["PUT", "PURGE"])
      assert.deepEqual(maxAge(await ask(stage, "OPTIONS /put", ORIGIN, asks(method))), [
        "Access-Control-Max-Age: 7",
      ]);
    assert.deepEqual(await ask(stage, "OPTIONS /put", ORIGIN, asks("DELETE")), ["404"]);
    assert.deepEqual(await ask(stage, "OPTIONS /put", ORIGIN), ["404"]);
  },
);

onEachEngine("cors: answers of our own can be read as well", { routing: ROUTING }, async (stage) => {
  assert.deepEqual(await ask(stage, "GET /denied", ORIGIN), ["403", ...ALLOWED]);
  assert.deepEqual(await ask(stage, "GET /denied", OTHER), ["403", "Vary: Origin"]);
  assert.deepEqual(await ask(stage, "GET /moved", ORIGIN), ["308", ...ALLOWED]);
  // The backend breaks off before it answers.
  stage.backend.onPeer = (peer) => {
    peer.onBytes = () => peer.reset();
  };
  assert.deepEqual(await ask(stage, "POST /", ORIGIN, "Content-Length: 0"), ["502", ...ALLOWED]);
  assert.deepEqual(await ask(stage, "POST /plain", ORIGIN, "Content-Length: 0"), ["502"]);
});

withChain(
  "cors: what a hook answers can be read as well",
  { routing: { routes: [route("", { cors: CORS, chain: 0 }), route("/plain", { chain: 0 })] } },
  async (stage, chain) => {
    chain.onRequest = (exchange) => void answerWith(exchange, 401, "who?");
    assert.deepEqual(await ask(stage, "GET /", ORIGIN), ["401", ...ALLOWED]);
    assert.deepEqual(await ask(stage, "GET /plain", ORIGIN), ["401"]);
    const fields = "access-control-allow-origin: *\r\nx-a: b\r\nAccess-Control-Max-Age: 1\r\n";
    chain.onRequest = (exchange) => void answerWith(exchange, 200, "", fields);
    assert.deepEqual(await ask(stage, "GET /", ORIGIN), ["200", ...ALLOWED], "in place of the hook's");
    assert.equal((await ask(stage, "GET /plain", ORIGIN)).length, 3);
    chain.onRequest = () => {};
    serve(stage);
    chain.onResponse = (exchange) => void answerWith(exchange, 403, "no");
    assert.deepEqual(await ask(stage, "GET /", OTHER), ["403", "Vary: Origin"]);
  },
);

onEachEngine(
  "cors: what a client is told does not stay for the next",
  { routing: { routes: [route("/cors", { cors: CORS, deny: [parseNetwork("127.0.0.0/8")!] })] } },
  async (stage) => {
    const client = stage.client();
    for (let i = 0; i < 3; i++) {
      client.write(`GET /cors HTTP/1.1\r\nHost: h\r\n${ORIGIN}\r\n\r\n`);
      assert.equal((await client.message()).head.match(/Allow-Origin/g)?.length, 1);
      client.write("GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
      assert.doesNotMatch((await client.message()).head, /Access-Control|Vary/);
    }
  },
);
