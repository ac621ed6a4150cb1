/** Between the messages of the web and those on the wire. */
import { statusOf, type WholeMessage } from "./message-reader.ts";
import type { FetchInit } from "./simulation.ts";

const NO_BODY = [204, 205, 304];

/** A request in HTTP/1.1, as one client sends it alone on its connection. */
export function requestBytes(url: URL, init: FetchInit): Uint8Array {
  const { method = "GET", headers = {}, body } = init;
  const has = (name: string) => Object.keys(headers).some((each) => each.toLowerCase() === name);
  const bytes = typeof body === "string" ? Buffer.from(body) : (body ?? new Uint8Array(0));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  if (!has("host")) lines.unshift(`host: ${url.host}`);
  if (body !== undefined && !has("content-length") && !has("transfer-encoding"))
    lines.push(`content-length: ${bytes.length}`);
  const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), bytes]);
}

export function responseOf({ startLine, fields, body }: WholeMessage): Response {
  const status = statusOf(startLine);
  const headers = new Headers(fields.map(([name, value]): [string, string] => [name, value]));
  return new Response(NO_BODY.includes(status) ? null : new Uint8Array(body), { status, headers });
}
