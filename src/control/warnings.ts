/** What is right in a configuration and yet hardly meant, as sentences for people. */
import { at, pathText, placeText } from "../config/located.ts";
import { routeWarnings } from "../config/routes-check.ts";
import type { LoadedConfiguration } from "./load-configuration.ts";

/** Each with its place and path: `hp-proxy.config.yaml:7 routes[1]: …`. */
export function warningsOf({ document, written }: LoadedConfiguration): string[] {
  return routeWarnings(document).map(({ path, text }) => {
    const source = placeText((at(written, path) ?? written).place);
    return `${source} ${pathText(path)}: ${text}`;
  });
}
