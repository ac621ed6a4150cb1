/** What the files of a configuration are called. */

/** Endings of modules, in the order in which they are told. */
export const MODULE_ENDINGS: readonly string[] = [".ts", ".mts", ".js", ".mjs"];
/** How files of a configuration end. */
export const CONFIG_ENDINGS: readonly string[] = [...MODULE_ENDINGS, ".yaml", ".yml", ".json"];

/** What a file is called that is found without being named. */
export const CONFIG_NAME = "hp-proxy.config";

/** Whether `name` ends as a file of a configuration does. */
export function isConfigFile(name: string): boolean {
  return CONFIG_ENDINGS.some((ending) => name.endsWith(ending));
}
