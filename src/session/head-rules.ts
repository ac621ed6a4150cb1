/**
 * What the policy says of a request head before anything is done with it: whether it is refused, and whether
 * its client is a proxy that is believed. What is written of a head is `http1/request-policy.ts`'s.
 *
 * @hot
 */
import { LOWER_CASE } from "../base/ascii.ts";
import { asciiBytes, textOf } from "../base/bytes.ts";
import { isInNetwork, type Network, parseIp } from "../base/ip-address.ts";
import type { Policy, Snapshot } from "../contract/snapshot.ts";
import { HeadNote, type MessageHead, Method, TransferCoding } from "../http1/message-head.ts";
import { breaksPathRule, PathRule } from "../http1/path-rules.ts";
import { viaCount } from "../http1/via.ts";
import { type Failure, Failures } from "./failure.ts";
import type { ClientLeg } from "./legs.ts";
import type { Plane } from "./plane.ts";

/**
 * A request that has passed proxies of our name so often is in a loop. More than one, because several proxies
 * in a row may bear one name, as the default is: no real path has as many of them.
 */
export const LOOP_PASSES = 8;

const UNDERSCORED = HeadNote.underscoredName;
const VIA = HeadNote.via;
const SECURE_TARGET = HeadNote.secureTarget;
const RARE = UNDERSCORED | VIA | SECURE_TARGET;
const NO_CODING = TransferCoding.none;
/** Only CONNECT has a larger number. */
const TRACE = Method.TRACE;

export class HeadRules {
  #rejectsUnderscores = false;
  #rejectsTrace = true;
  #rejectsConnect = true;
  /** 0: no limit. */
  #bodyBytesMax = 0;
  /** `PathRule` bits. */
  #pathRules = 0;
  #viaName = new Uint8Array(0);

  constructor(snapshot: Snapshot) {
    this.use(snapshot);
  }

  /** Heads that are judged from now on are judged by `snapshot`. @cold */
  use({ policy, limits, viaName, routing }: Snapshot): void {
    this.#rejectsUnderscores = policy.underscoreNames === "reject";
    this.#rejectsTrace = policy.traceMethod === "reject";
    this.#rejectsConnect = policy.connectMethod === "reject";
    // Where there are routes, each has its own.
    this.#bodyBytesMax = routing === undefined ? limits.requestBodyBytesMax : 0;
    this.#pathRules = pathRulesOf(policy);
    this.#viaName = asciiBytes(viaName).map((byte) => LOWER_CASE[byte]!);
  }

  /**
   * Why the request with `head` is refused, or null. `Failures.httpsTarget` does not hold for a trusted peer
   * (RFC 9110 §7.4).
   */
  refusal(memory: Uint8Array, head: MessageHead): Failure | null {
    if (head.method >= TRACE) {
      const failure = this.#methodRefusal(head);
      if (failure !== null) return failure;
    }
    if (this.#bodyBytesMax > 0 && head.contentLength > this.#bodyBytesMax) return Failures.bodyTooLarge;
    if (this.#pathRules !== 0 && head.pathStart >= 0) {
      if (breaksPathRule(memory, head.pathStart, head.targetEnd, this.#pathRules))
        return Failures.pathRefused;
    }
    if ((head.notes & RARE) === 0) return null;
    if (this.#rejectsUnderscores && (head.notes & UNDERSCORED) !== 0) return Failures.underscoreName;
    const isLoop = (head.notes & VIA) !== 0 && viaCount(memory, head, this.#viaName) >= LOOP_PASSES;
    if (isLoop) return Failures.loop;
    return (head.notes & SECURE_TARGET) === 0 ? null : Failures.httpsTarget;
  }

  /** Why a TRACE or CONNECT is refused, or null. */
  #methodRefusal(head: MessageHead): Failure | null {
    if (head.method === TRACE) {
      if (this.#rejectsTrace || head.maxForwards === 0) return Failures.traceMethod;
      // RFC 9110 §9.3.8: we are the client of a backend, and a client sends no content in it.
      return head.contentLength <= 0 && head.transferCoding === NO_CODING ? null : Failures.traceBody;
    }
    if (this.#rejectsConnect) return Failures.connectMethod;
    // RFC 9110 §9.3.6: a body has no meaning here; who sends one means the bytes behind it to be a request.
    return head.contentLength < 0 && head.transferCoding === NO_CODING ? null : Failures.connectBody;
  }
}

function pathRulesOf(policy: Policy): number {
  return (
    (policy.rejectEncodedSlashes ? PathRule.encodedSlash : 0) |
    (policy.rejectDotSegments ? PathRule.dotSegment : 0) |
    (policy.rejectEncodedNul ? PathRule.encodedNul : 0)
  );
}

/**
 * Whether the peer of `leg`, whose address is in memory, is believed. Decided once for a connection. @cold
 */
export function isPeerTrusted({ snapshot, memory }: Plane, { peerStart, peerEnd }: ClientLeg): boolean {
  const { trustedProxies } = snapshot.policy;
  return trustedProxies.length > 0 && isTrusted(trustedProxies, textOf(memory, peerStart, peerEnd));
}

/** Whether the peer whose address is written as `text` is in one of `networks`; a unix socket is in none. @cold */
export function isTrusted(networks: readonly Network[], text: string): boolean {
  const zone = text.indexOf("%");
  const address = parseIp(zone < 0 ? text : text.slice(0, zone));
  return address !== undefined && networks.some((network) => isInNetwork(address, network));
}
