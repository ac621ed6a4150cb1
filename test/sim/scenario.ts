/** What a world, a proxy and its options are like: drawn from the seed. */
import type { Prng } from "../../src/base/prng.ts";
import type { EngineOptions } from "../../src/contract/port.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Limits,
  type Policy,
  type Snapshot,
  type Timeouts,
} from "../../src/contract/snapshot.ts";
import type { WorldOptions } from "../../src/engine/sim/world.ts";
import type { Pace } from "./actor.ts";
import type { Manner } from "./client.ts";
import type { Mood, Sizes } from "./plan.ts";
import { oneOf } from "./stage.ts";

/** Spans of a wild world's timeouts. */
const SPAN_MS_MIN = 20;
const SPAN_MS_MAX = 3_000;

export interface Scenario {
  readonly mood: Mood;
  readonly mode: Snapshot["mode"];
  readonly world: WorldOptions;
  readonly engine: EngineOptions;
  readonly sizes: Sizes;
  readonly backendCount: number;
  readonly clientCount: number;
  readonly plansMax: number;
  /** Clients come within this. */
  readonly arrivalMs: number;
  /** How often, and how the snapshot changes. */
  readonly replacements: number;
  readonly drains: boolean;
  /** Of every snapshot: what they promise can be held against the proxy. */
  readonly trailers: Policy["trailers"];
  readonly halfClosedClients: Policy["halfClosedClients"];
}

export function drawScenario(prng: Prng): Scenario {
  const mood = oneOf<Mood>(prng, ["calm", "mischief", "mischief", "wild", "wild", "wild"]);
  const isWild = mood === "wild";
  const isLively = prng.oneIn(3);
  const segmentBytesMax = oneOf(prng, [1, 7, 200, 1_460, 1_460, 65_536, 65_536, 65_536]);
  // Many tiny segments of a long body show nothing more than those of a short one.
  const bodyBytesMax =
    segmentBytesMax === 1 ? 40 : segmentBytesMax === 7 ? 300 : segmentBytesMax < 1_000 ? 4_000 : 90_000;
  return {
    mood,
    mode: prng.oneIn(10) ? "tcp" : "http",
    world: {
      seed: prng.next(),
      segmentBytesMax,
      socketBytesMax: oneOf(prng, [2_000, 20_000, 262_144]),
      latencyMaxMs: oneOf(prng, [0.05, 0.5, 5]),
      stallOneIn: prng.oneIn(6) ? 40 : 0,
      stallMaxMs: isWild ? 2_000 : 100,
      resetFlushes: prng.oneIn(2),
    },
    engine: {
      listeners: [{ host: "127.0.0.1", port: 0 }],
      connectionsMax: isWild ? oneOf(prng, [4, 8, 64]) : 64,
      smallSlots: isWild ? oneOf(prng, [4, 24, 128]) : 160,
      largeSlots: isWild ? oneOf(prng, [2, 6, 32]) : 32,
    },
    sizes: { bodyBytesMax, padBytesMax: segmentBytesMax < 100 ? 40 : 6_000 },
    backendCount: prng.between(1, 3),
    clientCount: isLively ? prng.between(3, 10) : prng.between(1, 4),
    plansMax: segmentBytesMax === 1 ? 2 : prng.oneIn(4) ? 6 : 3,
    arrivalMs: oneOf(prng, [0, 5, 50]),
    replacements: prng.oneIn(3) ? prng.between(1, 4) : 0,
    drains: isWild && prng.oneIn(5),
    trailers: oneOf(prng, ["drop", "pass"]),
    halfClosedClients: oneOf(prng, ["abort", "serve"]),
  };
}

export function drawPace(prng: Prng): Pace {
  const isSlowWriter = prng.oneIn(4);
  return {
    readMs: prng.oneIn(5) ? prng.between(1, 5) : 0,
    writeBytesMax: isSlowWriter ? prng.between(20, 2_000) : 0,
    writeMs: isSlowWriter && prng.oneIn(2) ? 0.05 : 0,
  };
}

export function drawManner(prng: Prng, mood: Mood, servesHalfClosed: boolean): Manner {
  const isWicked = mood !== "calm" && prng.oneIn(5);
  return {
    pipelines: prng.oneIn(3),
    isHasty: prng.oneIn(2),
    ending: oneOf(prng, ["close", "close", "wait", servesHalfClosed ? "end" : "wait"]),
    whim: isWicked ? oneOf(prng, ["reset", "close", "end", "stall", "deafen"]) : "",
    whimMs: prng.below(100),
  };
}

export function drawTimeouts(prng: Prng, mood: Mood): Timeouts {
  if (mood !== "wild" || prng.oneIn(2)) return DEFAULT_TIMEOUTS;
  const span = (): number => prng.between(SPAN_MS_MIN, SPAN_MS_MAX);
  return {
    requestHeadMs: span(),
    requestBodyIdleMs: span(),
    connectMs: span(),
    responseHeadMs: span(),
    responseBodyIdleMs: span(),
    clientSendIdleMs: span(),
    requestMs: prng.oneIn(3) ? span() : 0,
    clientIdleMs: span(),
    originIdleMs: span(),
    originAgeMs: span(),
    tunnelIdleMs: span(),
    lingerMs: span(),
  };
}

export function drawLimits(prng: Prng, mood: Mood): Limits {
  const limits = {
    ...DEFAULT_LIMITS,
    queuedBytesMax: oneOf(prng, [1, 5_000, 131_072]),
    poolSizePerEndpoint: oneOf(prng, [0, 1, 64]),
  };
  if (mood !== "wild" || prng.oneIn(2)) return limits;
  return {
    ...limits,
    headBytesMax: oneOf(prng, [400, 8_000, 32_768]),
    targetBytesMax: oneOf(prng, [20, 8_192]),
    fieldCountMax: oneOf(prng, [5, 128]),
    requestBodyBytesMax: oneOf(prng, [0, 10, 3_000]),
    clientsMax: oneOf(prng, [1, 3, 1_000]),
    clientsPerAddressMax: oneOf(prng, [0, 1, 2]),
    requestsPerClientMax: oneOf(prng, [0, 1, 2]),
    requestsInFlightMax: oneOf(prng, [0, 1, 3]),
    pipelinedRequestsMax: oneOf(prng, [0, 1, 2]),
  };
}

export function drawPolicy(
  prng: Prng,
  { mood, trailers, halfClosedClients }: Pick<Scenario, "mood" | "trailers" | "halfClosedClients">,
): Policy {
  const isWild = mood === "wild";
  const isStrict = isWild && prng.oneIn(3);
  return {
    ...DEFAULT_POLICY,
    rejectEncodedSlashes: isStrict && prng.oneIn(2),
    rejectDotSegments: isStrict && prng.oneIn(2),
    rejectEncodedNul: isStrict && prng.oneIn(2),
    connectMethod: prng.oneIn(2) ? "pass" : "reject",
    requestId: oneOf(prng, ["off", "keep", "generate"]),
    forwarded: prng.oneIn(2),
    trailers,
    halfClosedClients,
  };
}
