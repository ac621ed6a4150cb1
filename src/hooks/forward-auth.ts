/**
 * The policy `forwardAuth`: another server is asked about each request. With 2xx the request goes on, with fields of
 * that answer; any other answer is the client's. No answer: 500, the request does not pass.
 *
 * Asked with node:http and kept connections: answers are passed on as they come, encoded as they are.
 */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ForwardAuthLink } from "../contract/hooking.ts";
import { FRAMING_NAMES } from "../http1/framing-names.ts";
import type { HookRequest, HookResult, Hooks } from "./hooks.ts";
import type { Outbound } from "./outbound.ts";

const KEPT_MAX = 64;
/** About a connection or a body: not the business of who is asked, nor of a client that gets the answer. */
const LEFT_OUT = new Set([...FRAMING_NAMES, ...["content-encoding", "content-type", "host", "date"]]);
const LEFT_OUT_OF_ANSWERS = new Set(
  [...LEFT_OUT].filter((name) => !/^content-(?:type|encoding)$/.test(name)),
);

export function forwardAuth(
  { url, requestFields, responseFields }: ForwardAuthLink,
  outbound: Outbound,
): Hooks {
  const target = new URL(url);
  const isSecure = target.protocol === "https:";
  const agent = outbound.agent(isSecure, KEPT_MAX, true);
  const send = isSecure ? requestHttps : requestHttp;
  const ask = (headers: string[], signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      send(target, { headers, agent, signal }, resolve).on("error", reject).end();
    });
  return {
    async onRequest(request, { signal }) {
      const answer = await ask(fieldsOf(request, target.host, requestFields), signal);
      // A client that leaves ends it midway, which whoever reads it is told as well.
      answer.on("error", () => {});
      const status = answer.statusCode ?? 0;
      if (status < 200 || status > 299) return resultOf(answer);
      // Nothing of it may come from the client instead.
      for (const name of responseFields) {
        const value = answer.headers[name];
        if (value === undefined) request.headers.delete(name);
        else request.headers.set(name, Array.isArray(value) ? value.join(", ") : value);
      }
      answer.resume();
      return undefined;
    },
  };
}

/** Names and values in turn. */
function fieldsOf(request: HookRequest, host: string, wanted: readonly string[] | null): string[] {
  const fields = ["host", host, "x-forwarded-method", request.method, "x-forwarded-uri", request.target];
  for (const [name, value] of request.headers) {
    const isForwarding = name === "x-forwarded-method" || name === "x-forwarded-uri";
    if (LEFT_OUT.has(name) || isForwarding) continue;
    if (wanted === null || wanted.includes(name) || name.startsWith("x-forwarded-")) fields.push(name, value);
  }
  return fields;
}

function resultOf(answer: IncomingMessage): HookResult {
  const headers: [string, string][] = [];
  const { rawHeaders } = answer;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (!LEFT_OUT_OF_ANSWERS.has(rawHeaders[i]!.toLowerCase()))
      headers.push([rawHeaders[i]!, rawHeaders[i + 1]!]);
  return { status: answer.statusCode!, headers, body: answer };
}
