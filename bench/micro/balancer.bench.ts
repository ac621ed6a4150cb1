/** Picking an endpoint, and its idle connection. */
import { EndpointState } from "../../src/balance/endpoint.ts";
import { RoundRobin } from "../../src/balance/round-robin.ts";
import { type Micro, type Run, smokeMicros } from "./micro.ts";

const POOL_SIZE = 256;
const NONE_TRIED = 0;
const NOW_S = 1;

/** `down` of the endpoints are held unhealthy, the first ones. */
function pick(endpointCount: number, down: number): Run {
  const endpoints = Array.from(
    { length: endpointCount },
    (_, i) => new EndpointState(`192.0.2.1:${i + 1}`, `backend-${i}`, i >= down, POOL_SIZE),
  );
  const balancer = new RoundRobin(endpoints, 0);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = (sum + balancer.next(NOW_S, NONE_TRIED)) | 0;
    return sum;
  };
}

function pool(): Run {
  const endpoint = new EndpointState("192.0.2.1:80", "backend", true, POOL_SIZE);
  for (let i = 0; i < POOL_SIZE / 2; i++) endpoint.park(i);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const connection = endpoint.takeIdle();
      if (!endpoint.park(connection)) throw new Error("there is room in the pool");
      sum = (sum + connection) | 0;
    }
    return sum;
  };
}

export const MICROS: readonly Micro[] = [
  { name: "round robin, 3 endpoints", bytes: 0, prepare: () => pick(3, 0) },
  { name: "round robin, 100 endpoints", bytes: 0, prepare: () => pick(100, 0) },
  { name: "round robin, 100 endpoints, 90 down", bytes: 0, prepare: () => pick(100, 90) },
  { name: "take an idle connection, give it back", bytes: 0, prepare: pool },
];

export function smoke(): void {
  smokeMicros(MICROS);
}
