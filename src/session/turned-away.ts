/**
 * Clients that the engine closed before the session had anything of them: counted, and told like any other failure.
 *
 * @cold
 */
import { Counter } from "../contract/counters.ts";
import { Failures } from "./failure.ts";
import type { Plane } from "./plane.ts";

/** The engine closed `count` clients that it could not number (`Handler.turnedAway`). */
export function reportTurnedAway(plane: Plane, count: number): void {
  const { by, counter, reason, status, text } = Failures.turnedAway;
  plane.count(counter, count);
  plane.count(Counter.clientsRefused, count);
  for (let left = count; left > 0; left--) {
    if (!plane.notices.admits(reason)) continue;
    plane.notices.failure({
      by,
      phase: "request-head",
      reason,
      status,
      client: "",
      endpoint: "",
      request: "",
      message: text,
    });
  }
}
