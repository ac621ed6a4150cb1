/** The package `hp-proxy/testing`: one's own configuration in a simulated world. */
export { simulate } from "./testing/simulate.ts";
export type {
  ConnectInit,
  FetchInit,
  SimulatedClient,
  Simulation,
  SimulationOptions,
  Upstream,
  UpstreamAnswer,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamResponse,
} from "./testing/simulation.ts";
