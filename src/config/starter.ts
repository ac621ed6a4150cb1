/** The files that `hp-proxy init` writes. */

export const STARTER_FORMATS = ["yaml", "ts", "json"] as const;
export type StarterFormat = (typeof STARTER_FORMATS)[number];

/** Where the JSON Schema lies once hp-proxy is installed in the project. */
export const SCHEMA_PATH = "./node_modules/hp-proxy/schema/hp-proxy.schema.json";

const YAML = `# yaml-language-server: $schema=${SCHEMA_PATH}
#
# hp-proxy check     is this file right?
# hp-proxy print     what it means, with every default
# hp-proxy           runs it
# All keys: docs/configuration.md of hp-proxy.

listen: ":8080"

# Where requests go. \${NAME} is an environment variable, \${NAME:-default} one with a default.
backends:
  - localhost:3001
  - localhost:3002

# health:
#   path: /health          # only 2xx and 3xx count as up then
#   interval: 2s

# timeouts:
#   connect: 3s
#   response: 1m

# limits:
#   body: 10MiB            # larger requests are answered 413

# Several clusters, one listener for each, instead of \`listen\` and \`backends\` above:
#
# listen:
#   - { address: ":8080", cluster: app }
#   - { address: "127.0.0.1:8081", cluster: admin }
# clusters:
#   app: { backends: [localhost:3001, localhost:3002] }
#   admin: { backends: [localhost:4000] }
`;

const TS = `// hp-proxy check     is this file right?
// hp-proxy print     what it means, with every default
// hp-proxy           runs it
// All keys: docs/configuration.md of hp-proxy, and your editor's completion.
import { defineConfig } from "hp-proxy";

export default defineConfig({
  listen: ":8080",

  // Where requests go.
  backends: ["localhost:3001", "localhost:3002"],

  // health: { path: "/health", interval: "2s" }, // only 2xx and 3xx count as up then
  // timeouts: { connect: "3s", response: "1m" },
  // limits: { body: "10MiB" }, // larger requests are answered 413

  // Several clusters, one listener for each, instead of \`listen\` and \`backends\` above:
  // listen: [
  //   { address: ":8080", cluster: "app" },
  //   { address: "127.0.0.1:8081", cluster: "admin" },
  // ],
  // clusters: {
  //   app: { backends: ["localhost:3001", "localhost:3002"] },
  //   admin: { backends: ["localhost:4000"] },
  // },
});
`;

const JSON_TEXT = `{
  "$schema": "${SCHEMA_PATH}",
  "listen": ":8080",
  "backends": ["localhost:3001", "localhost:3002"]
}
`;

export const STARTERS: Readonly<Record<StarterFormat, string>> = { yaml: YAML, ts: TS, json: JSON_TEXT };
