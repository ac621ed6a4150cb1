/**
 * A third opinion, about what the proxy itself sends to a backend: a reader that knows one way only to write
 * a request, and names everything else. It shares no code with the parsers of the product.
 */

export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface StrictReading {
  readonly requests: StrictRequest[];
  /** What is not canonical; "" when all is. */
  readonly complaint: string;
  /** The stream ends inside this request; its fields are empty where not even its head is whole. */
  readonly cut?: StrictRequest;
}

const START_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ((?:\/[!-"$-~]*)|\*) HTTP\/1\.1$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/;
/** Fields of one connection only, and what a client may not say in our name. */
const NEVER = [
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "proxy-authenticate",
  "proxy-authorization",
  "x-forwarded-port",
  "x_forwarded_for",
  "content_length",
  "transfer_encoding",
];
const ONCE = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "x-forwarded-for",
  "x-forwarded-proto",
];

class Complaint extends Error {}

/** What is left of a request whose end is missing; no body is told. */
class Cut extends Error {
  readonly request: StrictRequest;

  constructor(request: StrictRequest) {
    super("cut");
    this.request = request;
  }
}

const NOTHING: StrictRequest = { method: "", target: "", host: "", fields: [], body: "" };

/** Reads all of `stream`, which the proxy sent on one connection. */
export function readStrictly(stream: string): StrictReading {
  const requests: StrictRequest[] = [];
  try {
    for (let pos = 0; pos < stream.length; ) pos = readOne(stream, pos, requests);
    return { requests, complaint: "" };
  } catch (error) {
    if (error instanceof Cut) return { requests, complaint: "", cut: error.request };
    if (error instanceof Complaint) return { requests, complaint: error.message };
    throw error;
  }
}

function readOne(stream: string, start: number, requests: StrictRequest[]): number {
  const headEnd = stream.indexOf("\r\n\r\n", start);
  if (headEnd < 0) throw new Cut(NOTHING);
  const [startLine, ...lines] = stream.slice(start, headEnd).split("\r\n");
  const parts = START_LINE.exec(startLine!);
  if (parts === null) throw new Complaint(`start line ${JSON.stringify(startLine)}`);
  const fields = lines.map((line): [string, string] => {
    const field = FIELD_LINE.exec(line);
    if (field === null) throw new Complaint(`field line ${JSON.stringify(line)}`);
    return [field[1]!.toLowerCase(), field[2]!];
  });
  const valuesOf = (name: string) => fields.filter(([other]) => other === name).map(([, value]) => value);
  for (const name of NEVER) if (valuesOf(name).length > 0) throw new Complaint(`${name} is passed on`);
  for (const name of ONCE) if (valuesOf(name).length > 1) throw new Complaint(`more than one ${name}`);
  if (valuesOf("host").length !== 1) throw new Complaint("no host");
  if (valuesOf("x-forwarded-for").length !== 1) throw new Complaint("no x-forwarded-for");
  const [connection] = valuesOf("connection");
  if (connection !== undefined && connection !== "Upgrade") throw new Complaint(`connection: ${connection}`);
  if ((connection !== undefined) !== valuesOf("upgrade").length > 0) throw new Complaint("half an upgrade");
  const request = { method: parts[1]!, target: parts[2]!, host: valuesOf("host")[0]!, fields, body: "" };
  const [length] = valuesOf("content-length");
  const [coding] = valuesOf("transfer-encoding");
  const [body, end] = bodyAt(stream, headEnd + 4, length, coding);
  if (end < 0) throw new Cut(request);
  requests.push({ ...request, body });
  return end;
}

/** The body that begins at `pos`, and its end; -1 where the stream ends before. */
function bodyAt(stream: string, pos: number, length?: string, coding?: string): [string, number] {
  if (coding === undefined) {
    if (length === undefined) return ["", pos];
    if (!/^(0|[1-9]\d{0,15})$/.test(length)) throw new Complaint(`content-length: ${length}`);
    const end = pos + Number(length);
    if (end > stream.length) return ["", -1];
    return [stream.slice(pos, end), end];
  }
  if (length !== undefined) throw new Complaint("two lengths");
  if (coding !== "chunked") throw new Complaint(`transfer-encoding: ${coding}`);
  let body = "";
  for (;;) {
    const lineEnd = stream.indexOf("\r\n", pos);
    if (lineEnd < 0) return ["", -1];
    const line = stream.slice(pos, lineEnd);
    if (!/^(0|[1-9a-f][0-9a-f]*)$/.test(line)) throw new Complaint(`chunk line ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const end = lineEnd + 2 + size;
    if (end + 2 > stream.length) return ["", -1];
    if (stream.slice(end, end + 2) !== "\r\n") throw new Complaint("a chunk without its end");
    body += stream.slice(lineEnd + 2, end);
    pos = end + 2;
    if (size === 0) return [body, pos];
  }
}
