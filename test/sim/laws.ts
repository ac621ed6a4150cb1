/** What must hold when a simulated world has come to rest. */
import { RECEIVE_BYTES } from "../../src/base/buffer-pool.ts";
import { Counter } from "../../src/contract/counters.ts";
import type { SimEngine } from "../../src/engine/sim/sim-engine.ts";
import type { Actor } from "./actor.ts";
import type { Client } from "./client.ts";
import { BODY_LIES, HEAD_FAULTS, isAmong, isClean, isRepeatable, type Lie, type Plan } from "./plan.ts";
import type { RelayedClient } from "./relayed.ts";
import { routedStatus } from "./routes.ts";
import type { Scenario } from "./scenario.ts";
import { bareSinceMs, type Stage } from "./stage.ts";

/** What one turn may add to a queue that was just short of its bound. */
const QUEUE_SLACK_BYTES = 3 * RECEIVE_BYTES;
/** `plane.ts` stops at 32 pieces; twice 64 interim responses may come on top of them, and a head. */
const QUEUED_RANGES_MAX = 32 + 2 * 64 + 8;
/** Peer addresses stay in their slot. */
const PEERS_PER_SLOT = 80;

interface Played extends Stage {
  readonly scenario: Scenario;
  readonly engine: SimEngine;
  readonly counters: Float64Array;
  readonly clients: readonly Client[];
  readonly relayed: readonly RelayedClient[];
  readonly backends: readonly Actor[];
  readonly isDraining: boolean;
  readonly drainedCount: number;
}

/** Everything is given back, and the books agree. */
export function checkRest(played: Played, waitMs: number): void {
  const { engine, counters, scenario } = played;
  const law = (holds: boolean, text: string): void => {
    if (!holds) played.broken(text);
  };
  const { buffers } = engine;
  law(buffers.freeLargeCount === buffers.largeCount, "every large slot is home");
  const peerSlots = scenario.mode === "tcp" ? 0 : Math.ceil(engine.connectionsMax / PEERS_PER_SLOT);
  law(buffers.smallCount - buffers.freeSmallCount <= peerSlots, "every small slot is home");
  law(waitMs === -1, `no deadline is left: ${waitMs}`);
  law(engine.openCount === 0, `no connection is open: ${engine.openCount}`);
  for (const name of [
    "clientsOpen",
    "requestsInFlight",
    "originsOpen",
    "originsIdle",
    "tunnelsOpen",
  ] as const) {
    law(counters[Counter[name]] === 0, `${name} is 0 at the end: ${counters[Counter[name]]}`);
  }
  const accepted = counters[Counter.clientsAccepted]! + counters[Counter.clientsRefused]!;
  law(accepted === engine.acceptedCount, `${engine.acceptedCount} clients came: ${accepted}`);
  law(
    counters[Counter.originsOpened] === engine.connectedCount,
    `${engine.connectedCount} connections stood`,
  );
  if (scenario.mode === "http") {
    const out = counters[Counter.clientBytesOut]! + counters[Counter.originBytesOut]!;
    const came = counters[Counter.clientBytesIn]! + counters[Counter.originBytesIn]!;
    law(out === engine.sentBytes, `${engine.sentBytes} bytes were sent: ${out}`);
    law(came === engine.receivedBytes, `${engine.receivedBytes} bytes came: ${came}`);
  }
  law(played.drainedCount === (played.isDraining ? 1 : 0), `draining is told once: ${played.drainedCount}`);
  const queuedBytesMax = 131_072 + QUEUE_SLACK_BYTES;
  law(engine.queuedBytesPeak <= queuedBytesMax, `a queue is bounded: ${engine.queuedBytesPeak} bytes`);
  law(engine.queuedRangesPeak <= QUEUED_RANGES_MAX, `a queue is bounded: ${engine.queuedRangesPeak} ranges`);
  for (const actor of [...played.clients, ...played.relayed, ...played.backends]) {
    law(actor.isOver, `${actor.name} is told that its connection is over`);
  }
}

/** Bounds that were in force all the time are kept. */
export function checkLimits(played: Played): void {
  const { scenario, snapshot, clients } = played;
  if (scenario.replacements > 0) return;
  const { requestBodyBytesMax, requestsPerClientMax } = snapshot.limits;
  for (const { name, plans } of clients) {
    const isTooLarge = ({ metWholeCount, requestBytes }: Plan): boolean =>
      requestBodyBytesMax > 0 && metWholeCount > 0 && requestBytes > requestBodyBytesMax;
    if (plans.some(isTooLarge)) played.broken(`${name}: no body is larger than ${requestBodyBytesMax}`);
    const servedCount = plans.filter(({ isServed }) => isServed).length;
    const isGreedy = requestsPerClientMax > 0 && servedCount > requestsPerClientMax;
    if (isGreedy) played.broken(`${name} is served ${requestsPerClientMax} times: ${servedCount}`);
  }
}

/** Who behaves is served. */
export function checkPromises(played: Played): void {
  if (played.mood === "wild") return;
  for (const client of played.clients) {
    if (played.mood === "calm") {
      for (const plan of client.plans) {
        const isDone = plan.isServed && (plan.isAnswered || plan.isTunnel);
        if (!isDone && !isRouted(plan) && !isDenied(played, plan))
          played.broken(`${client.name}: request ${plan.id} is answered`);
      }
    } else if (client.manner.whim === "") checkBehaved(played, client);
  }
  for (const { name, plan } of played.relayed) {
    const isMute = plan.downBytes === 0;
    if (played.mood === "calm" && plan.metCount !== 1 && !isMute) played.broken(`${name} is relayed`);
  }
}

/** Requests up to the first that may fail are served; and that one fails as it should. */
function checkBehaved(played: Played, client: Client): void {
  // The RST behind an answer or a tunnel that is cut takes along what has not left of the answers before it.
  if (client.plans.some(mayEndInReset)) return;
  for (const plan of client.plans) {
    if (mayMeetUnasked(played, plan)) return;
    if (routedStatus(plan) !== 0) {
      if (isRouted(plan)) continue;
      played.broken(`${client.name}: request ${plan.id} is answered as its route says`);
      return;
    }
    if (isClean(plan) && isRepeatable(plan)) {
      if (plan.isServed && plan.isAnswered) continue;
      played.broken(`${client.name}: request ${plan.id} is served whatever others do`);
      return;
    }
    const isRefused = !plan.isServed && plan.answeredStatus >= 400;
    if (isAmong(HEAD_FAULTS, plan.fault) && plan.fault !== "half-a-head" && !isRefused) {
      played.broken(`${client.name}: request ${plan.id} (${plan.fault}) is told that it is refused`);
    }
    const status = expectedStatus(plan);
    const isExpected =
      status === 0 || played.unruly.has(plan.id) || (!plan.isServed && plan.answeredStatus === status);
    if (!isExpected) {
      played.broken(
        `${client.name}: request ${plan.id} (${plan.lie}) is answered ${status}: ${plan.answeredStatus}`,
      );
    }
    return;
  }
}

function mayEndInReset({ lie, fault, isTunnel }: Plan): boolean {
  return isTunnel || isAmong(BODY_LIES, lie) || fault === "half-a-head" || fault === "half-a-body";
}

/** What a backend said unasked may have been under way when it was. */
function mayMeetUnasked({ unasked, reachMs }: Stage, { askedMs, answeredMs }: Plan): boolean {
  const endMs = answeredMs < 0 ? Infinity : answeredMs + reachMs;
  return unasked.some((said) => {
    // Whose answer was never taken, its connection was given up.
    const bareMs = said.behind.isAnswered ? bareSinceMs(said) : said.atMs;
    return bareMs + reachMs > askedMs && said.atMs < endMs;
  });
}

/** Answered by the proxy, as its route says, or one of its hooks. */
function isRouted(plan: Plan): boolean {
  if (plan.hookedBytes >= 0) return plan.isAnswered;
  return plan.isAnswered && !plan.isServed && plan.answeredStatus === routedStatus(plan);
}

/** The policy of this world forbids it. */
function isDenied({ snapshot }: Stage, { method }: Plan): boolean {
  return method === "CONNECT" && snapshot.policy.connectMethod === "reject";
}

const LIE_STATUSES: Partial<Record<Lie, number>> = {
  garbage: 502,
  "length-and-chunked": 502,
  "two-lengths": 502,
  "bad-length": 502,
  switch: 502,
  "huge-head": 502,
  "bare-lf": 502,
  "half-a-head": 504,
  silent: 504,
};

/** What the proxy says of the backend's lie; 0: that depends. */
function expectedStatus(plan: Plan): number {
  if (plan.fault !== "" || plan.requestFraming !== "none") return 0;
  return LIE_STATUSES[plan.lie] ?? 0;
}
