/** What can be asked of a running proxy over HTTP, by the control socket and the admin listener alike. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ReloadResult } from "./reload.ts";
import type { StatsReport } from "./stats-report.ts";
import type { UpgradeResult } from "./upgrade.ts";

export interface Answering {
  report(): StatsReport;
  /** Why it takes no requests just now; "" when it does. */
  readonly unreadiness: string;
  /** In Prometheus' text form. */
  metrics(): string;
  reload(why: string): Promise<ReloadResult>;
  upgrade(why: string): Promise<UpgradeResult>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";
const METRICS = "text/plain; version=0.0.4; charset=utf-8";

/** Answers one request. `mayChange`: whether whoever asks may change the proxy, and see everything. */
export async function answer(
  proxy: Answering,
  mayChange: boolean,
  question: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, type, text } = await answerTo(proxy, mayChange, question);
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(question.method === "HEAD" ? "" : text);
}

async function answerTo(
  proxy: Answering,
  mayChange: boolean,
  { method, url }: IncomingMessage,
): Promise<Answer> {
  const target = (url ?? "").split("?", 1)[0];
  if (mayChange && (target === "/reload" || target === "/upgrade")) {
    if (method !== "POST") return { status: 405, type: TEXT, text: "POST it\n" };
    const change = target === "/reload" ? proxy.reload("hp-proxy reload") : proxy.upgrade("hp-proxy upgrade");
    return { status: 200, type: JSON_TYPE, text: JSON.stringify(await change) };
  }
  if (method !== "GET" && method !== "HEAD") return { status: 405, type: TEXT, text: "only GET and HEAD\n" };
  switch (target) {
    case "/healthz":
      return { status: 200, type: TEXT, text: "alive\n" };
    case "/readyz": {
      const { unreadiness } = proxy;
      if (unreadiness === "") return { status: 200, type: TEXT, text: "ready\n" };
      return { status: 503, type: TEXT, text: `${unreadiness}\n` };
    }
    case "/metrics":
      return { status: 200, type: METRICS, text: proxy.metrics() };
    case "/stats":
      if (mayChange) return { status: 200, type: JSON_TYPE, text: JSON.stringify(proxy.report()) };
  }
  const paths = mayChange ? "/stats, /healthz, /readyz, /metrics" : "/healthz, /readyz, /metrics";
  return { status: 404, type: TEXT, text: `ask ${paths}\n` };
}
