/** Which listener `hp-proxy explain` takes: it counts where listeners have clusters of their own. */
import { isIP } from "node:net";
import type { ConfigError } from "../config/config-error.ts";
import { Problem, readListenAddress } from "../config/values.ts";
import { LISTENER_CLUSTER } from "../contract/routing.ts";
import type { Configuration, ListenerConfiguration } from "../control/configuration.ts";

export interface ChosenListener {
  /** Its number. */
  readonly listener: number;
  /** Another one would have made a difference. */
  readonly matters: boolean;
}

/**
 * The listener that `named` is the address of; else one with the port of `authority`, which is that of the
 * request's URL ("": none is known), or any where there is no such one. An error where several would do that
 * lead to different clusters.
 */
export function chooseListener(
  { listeners, routing }: Configuration,
  authority: string,
  named: string | undefined,
): ChosenListener | { errors: readonly ConfigError[] } {
  const goesByListener =
    routing === null ||
    routing.routes.some(
      ({ action }) =>
        action.kind === "forward" && action.targets.some(({ cluster }) => cluster === LISTENER_CLUSTER),
    );
  const matters = goesByListener && listeners.some(({ cluster }) => cluster !== listeners[0]!.cluster);
  if (named !== undefined) {
    const listener = listeners.findIndex((each) => isNamed(each, named));
    if (listener >= 0) return { listener, matters };
    const error = { source: "--listener", value: named, reason: "is no address that is listened on" };
    return { errors: [{ ...error, remedy: `write one of ${textOfAll(listeners)}` }] };
  }
  const fitting = fittingOf(listeners, authority);
  if (matters && fitting.some(({ cluster }) => cluster !== fitting[0]!.cluster)) {
    const reason = "does not tell the listener, and listeners lead to different clusters";
    const remedy = `write --listener ADDRESS, one of ${textOfAll(fitting)}`;
    return { errors: [{ source: "explain", reason, remedy }] };
  }
  return { listener: listeners.indexOf(fitting[0]!), matters };
}

/** `127.0.0.1:8080`, `[::1]:8080`, `:8080`. */
export function listenerText({ host, port }: ListenerConfiguration): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function textOfAll(listeners: readonly ListenerConfiguration[]): string {
  return listeners.map(listenerText).join(", ");
}

function isNamed(listener: ListenerConfiguration, named: string): boolean {
  const address = readListenAddress(named);
  if (address instanceof Problem) return false;
  return listener.port === address.port && listener.host.toLowerCase() === address.host.toLowerCase();
}

/** Never empty. */
function fittingOf(
  listeners: readonly ListenerConfiguration[],
  authority: string,
): readonly ListenerConfiguration[] {
  if (authority === "") return listeners;
  const [, host = "", digits = "80"] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  const atPort = listeners.filter(({ port }) => port === Number(digits));
  const atHost = atPort.filter((each) => listenerText(each) === `${host.toLowerCase()}:${digits}`);
  if (atHost.length > 0) return atHost;
  return atPort.length > 0 ? atPort : listeners;
}
