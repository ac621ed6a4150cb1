/** Loaded with `--import`: the foreign function package is not installed for this process. */
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    if (!specifier.startsWith("@koromix/")) return next(specifier, context);
    throw Object.assign(new Error(`${specifier} is not installed`), { code: "MODULE_NOT_FOUND" });
  },
});
