/**
 * What is to be asked: the text of a target, read into an address, a `Host` and a request target (RFC 9110
 * §4.2).
 */

export interface Target {
  /** As given by the user, for people. */
  readonly text: string;
  /** Host name or literal address without brackets; "" for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Path of a unix socket, or "". */
  readonly socketPath: string;
  /** Value of the `Host` field. */
  readonly authority: string;
  /** Origin-form with query (RFC 9112 §3.2.1). */
  readonly requestTarget: string;
}

/**
 * Reads `127.0.0.1:8080`, `host:port/path`, `http://host/path`, `unix:/socket` or `unix:/socket:/path`; or
 * says why not.
 */
export function readTarget(text: string): Target | string {
  if (/[^\x21-\x7e]/.test(text)) return "has a character that does not belong into a URL; percent-encode it";
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "https") {
    return "https is not supported; measure plain HTTP, or put a TLS terminator in front";
  }
  if (scheme !== undefined && scheme !== "http") return `scheme "${scheme}" is not supported; write http://`;
  const rest = scheme === undefined ? text : text.slice("http://".length);
  if (rest.startsWith("unix:")) return readSocketTarget(text, rest.slice("unix:".length));
  return readInternetTarget(text, rest);
}

function readSocketTarget(text: string, rest: string): Target | string {
  if (!rest.startsWith("/")) return "a unix socket needs an absolute path; write unix:/run/app.sock";
  const split = rest.indexOf(":/");
  const socketPath = split === -1 ? rest : rest.slice(0, split);
  const requestTarget = split === -1 ? "/" : rest.slice(split + 1);
  return { text, host: "", port: 0, socketPath, authority: "localhost", requestTarget };
}

function readInternetTarget(text: string, rest: string): Target | string {
  let url: URL;
  try {
    url = new URL(`http://${rest}`);
  } catch {
    return "is not an address; write 127.0.0.1:8080, http://host:port/path or unix:/path";
  }
  if (url.username !== "" || url.password !== "") {
    return "must not carry a user name or password; use --header 'Authorization: Basic …'";
  }
  if (url.port === "0") return "port 0 cannot be connected to; write the port that the server listens on";
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  return {
    text,
    host,
    port: url.port === "" ? 80 : Number(url.port),
    socketPath: "",
    authority: url.host,
    requestTarget: url.pathname + url.search,
  };
}
