/** One row of the engine contract. */
import type { Engine, EngineOptions } from "../../src/contract/port.ts";
import type { Arena, Harbour, HarbourKind, Peer } from "./arena.ts";
import type { Seen, Witness } from "./witness.ts";

export interface Stage {
  readonly arena: Arena;
  readonly engine: Engine;
  readonly witness: Witness;
  /** Whether nobody but the engine itself holds a slot of the pool. */
  slotsAreHome(): boolean;
}

export interface Case {
  readonly name: string;
  readonly options?: Partial<EngineOptions>;
  /** It is about real sockets, descriptors or Node's loop. */
  readonly needsSockets?: boolean;
  /** It is about connections that are watched while they are paused. */
  readonly needsWatching?: boolean;
  /** The case calls `engine.start`. */
  readonly startsItself?: boolean;
  /** A string is the reason why this machine cannot run it. */
  run(stage: Stage): Promise<unknown>;
}

/** An engine's connection and the peer on its other end. */
export interface Pair {
  readonly seen: Seen;
  readonly peer: Peer;
}

/** A peer dials the engine's first listener. */
export async function acceptOne({ arena, engine, witness }: Stage, listener = 0): Promise<Pair> {
  const before = witness.accepts.length;
  const peer = arena.dial(engine.listenerAddresses[listener]!);
  await arena.until("the connection is accepted", () => witness.accepts.length > before && peer.isConnected);
  return { seen: witness.accepts[before]!, peer };
}

/** The engine connects to a peer. */
export async function connectOne(stage: Stage, kind: HarbourKind = "ipv4"): Promise<Pair | null> {
  const harbour = await stage.arena.listen(kind);
  return harbour === null ? null : connectTo(stage, harbour);
}

/** The engine connects to `harbour`. */
export async function connectTo({ arena, witness }: Stage, harbour: Harbour): Promise<Pair> {
  const before = harbour.peers.length;
  const seen = witness.connect(harbour.address);
  await arena.until("the connection stands", () => seen.isConnected && harbour.peers.length > before);
  return { seen, peer: harbour.peers[before]! };
}

/** Both ways of getting a connection: cases that must hold for either run once for each. */
export const WAYS = [
  { way: "accepted", pairOf: acceptOne },
  { way: "outgoing", pairOf: async (stage: Stage) => (await connectOne(stage))! },
] as const;
