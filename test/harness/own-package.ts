/** Preloaded (`node --import`): `hp-proxy` means this checkout, as it does where the package is installed. */
import { registerHooks } from "node:module";

const OWN: Readonly<Record<string, string>> = {
  "hp-proxy": new URL("../../src/index.ts", import.meta.url).href,
  "hp-proxy/testing": new URL("../../src/testing.ts", import.meta.url).href,
};

registerHooks({
  resolve(specifier, context, next) {
    const url = OWN[specifier];
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
