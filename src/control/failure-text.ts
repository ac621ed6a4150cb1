/** A failure notice as a line of the log: who ended a request, in which phase, why. */
import type { FailureNotice, HookNotice } from "../contract/notices.ts";

const WHILE: Readonly<Record<FailureNotice["phase"], string>> = {
  "request-head": "while its request head was read",
  "request-body": "while its request body was on its way",
  connect: "before a backend was connected",
  "response-head": "before the response began",
  "response-body": "while the response was on its way",
  tunnel: "while its tunnel was open",
};

/** `client 192.0.2.1 left while the response was on its way (GET /x, backend localhost:3001)` */
export function failureText(notice: FailureNotice): string {
  const { phase, reason, status, request, endpoint, message } = notice;
  const through = notice.peer === undefined ? "" : ` through ${notice.peer}`;
  const client = (notice.client === "" ? "a client" : `client ${notice.client}`) + through;
  const left = reason === "client_gone";
  const end = left ? "left" : status === 0 ? "was cut off" : `got ${status}`;
  const backend = endpoint === "" ? "" : `backend ${endpoint}`;
  const about = [request, backend].filter((part) => part !== "").join(", ");
  const sentence = `${client} ${end} ${WHILE[phase]}${about === "" ? "" : ` (${about})`}`;
  return left ? sentence : `${sentence}. ${message}`;
}

/** `hook onRequest of auth.hooks.ts threw (route shop): TypeError: …` */
export function hookText({ kind, hook, source, route, message }: HookNotice): string {
  if (kind === "stray") return `${hook} in code of hooks: ${message}`;
  const what = kind === "over_budget" ? "was slow" : kind === "late" ? "was late" : "threw";
  return `hook ${hook} of ${source} ${what}${route === "" ? "" : ` (route ${route})`}: ${message}`;
}

/** `3 more requests failed with connect_refused, not told one by one` */
export function suppressedText(reason: string, count: number): string {
  const requests = count === 1 ? "1 more request" : `${count} more requests`;
  return `${requests} failed with ${reason}, not told one by one`;
}
