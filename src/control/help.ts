/** The help text, made from the schema of the options. */
import { KEYS, keyText } from "../config/keys.ts";
import { flagOf, OPTIONS, variableOf } from "./options.ts";

const TEXT_COLUMN = 32;

const HEAD = `hp-proxy: an HTTP reverse proxy and load balancer

  hp-proxy --port 8080 --backends "localhost:3001,localhost:3002"
  hp-proxy [run] [-c FILE] [flags]   what hp-proxy.config.* in this folder says, or FILE
  hp-proxy check [--deep]            is the configuration right?
  hp-proxy print [--format json]     the configuration as it counts, with every default
  hp-proxy explain METHOD URL        which route a request takes, and why; nothing is sent
  hp-proxy init [--format ts]        writes a configuration to begin with
  hp-proxy import nginx.conf         makes a configuration of one of nginx, and tells what differs
  hp-proxy demo [flags]              a proxy on :8080 over three backends of its own
  hp-proxy stats [--watch]           figures of a running proxy, live with --watch
  hp-proxy reload [PID]              has a running proxy read its configuration again
  hp-proxy upgrade [PID]             has a new process of what is installed now take over
  hp-proxy healthcheck [PID]         does a running proxy take requests? exit status 0 or 1
  hp-proxy hash-password             what basicAuth compares a password with

Every flag is also an environment variable: --pool-size is HP_PROXY_POOL_SIZE. The flag wins over
the variable, and that over the file. What a file may say: docs/configuration.md
`;

const TAIL = `
Signals
  SIGTERM, SIGINT, SIGQUIT   finish what is in flight, then exit; a second one exits at once
  SIGHUP                     read the configuration again
  SIGUSR2                    start a new process that takes over, then finish and exit

  --watch                       read the configuration again whenever one of its files changes
  -c                            --config
  -h, --help                    this text
  -v, --version                 the version
`;

/**
 * Help of the proxy: every option by group, with its default. At most `columns` wide where words allow it.
 */
export function helpText(columns = 100): string {
  const groups = new Map<string, string[]>();
  for (const { name, text: option } of OPTIONS) {
    const { group, value, text, initial } = option;
    const shown = initial === undefined ? text : `${text} (${initial})`;
    const lines = optionLines(`${flagOf(name)} ${value}`, shown, columns);
    groups.set(group, [...(groups.get(group) ?? []), ...lines]);
  }
  const sections = [...groups].map(([group, lines]) => `\n${group}\n${lines.join("\n")}\n`);
  return HEAD + sections.join("") + TAIL;
}

/** The options as a Markdown table, for the manual. */
export function optionsMarkdown(): string {
  const rows = OPTIONS.map(({ name, text: option }) => {
    const { value, text, initial } = option;
    const cells = [`\`${flagOf(name)} ${value}\``, `\`${variableOf(name)}\``, initial ?? "", text];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| flag | variable | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

/** The keys of a configuration as a Markdown table, for the manual. Those of a cluster's health are `health`'s. */
export function keysMarkdown(): string {
  const keys = KEYS.filter(({ path }) => !(path.includes("NAME") && path.includes("health")));
  const rows = keys.map(({ path, text: { flag, value, initial, text, danger } }) => {
    const name = flag === undefined ? "" : `\`${flagOf(flag)}\``;
    const cells = [`\`${keyText(path)}\``, `\`${value}\``, initial ?? "", text, danger, name];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  const head = ["| key | value | default | meaning | danger | flag |", "|---|---|---|---|---|---|"];
  return [...head, ...rows].join("\n");
}

function optionLines(left: string, text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = `  ${left} `.padEnd(TEXT_COLUMN);
  if (line.length > TEXT_COLUMN) {
    lines.push(line.trimEnd());
    line = " ".repeat(TEXT_COLUMN);
  }
  let empty = true;
  for (const word of text.split(" ")) {
    if (!empty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = " ".repeat(TEXT_COLUMN);
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines;
}
