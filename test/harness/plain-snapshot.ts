/** What a session is made of where nothing in particular is wanted: one backend, no routes, the defaults. */
import {
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Snapshot,
} from "../../src/contract/snapshot.ts";

export const PLAIN_SNAPSHOT: Snapshot = {
  version: 1,
  mode: "http",
  viaName: "test",
  clusters: [{ name: "main", endpoints: [{ name: "a", address: "127.0.0.1:1", healthy: true }] }],
  listeners: [{ cluster: 0 }],
  timeouts: DEFAULT_TIMEOUTS,
  limits: DEFAULT_LIMITS,
  policy: DEFAULT_POLICY,
};
