/** A small client of the REST API under test, over the built-in fetch. Bodies stay `unknown`-shaped JSON: the tests look into them. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface RestReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export interface RestRequest {
  readonly body?: Json;
  readonly bytes?: Uint8Array;
  readonly headers?: { readonly [name: string]: string };
}

export interface ServerEvent {
  readonly id: string;
  readonly type: string;
  readonly body: Json;
}

const requestTimeoutMs = 40_000;

export class RestClient {
  readonly #base: string;
  readonly #key: string;

  constructor(base: string, key: string) {
    this.#base = base;
    this.#key = key;
  }

  /** `path` below `/api/v1`, or from the root when it starts with `/health`. */
  async send(method: string, path: string, request: RestRequest = {}): Promise<RestReply> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#key}`, ...request.headers };
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(requestTimeoutMs) };
    if (request.body !== undefined) {
      headers["content-type"] ??= "application/json";
      init.body = JSON.stringify(request.body);
    }
    if (request.bytes !== undefined) {
      headers["content-type"] ??= "application/octet-stream";
      init.body = new Uint8Array(request.bytes);
    }
    const response = await fetch(this.#url(path), init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parse(text) };
  }

  /** Asked again once where the connection had been opened to a server that was killed since, and nobody had noticed yet. */
  async get(path: string): Promise<RestReply> {
    try {
      return await this.send("GET", path);
    } catch (error) {
      if (!isClosedBefore(error)) throw error;
      return this.send("GET", path);
    }
  }

  /** An operation on a device, awaited up to `waitSeconds`; the operation as the server left it. */
  async operate(endpoint: string, operation: { readonly [field: string]: Json }, waitSeconds = 35): Promise<RestReply> {
    return this.send("POST", `/devices/${encodeURIComponent(endpoint)}/operations`, {
      body: operation,
      headers: { prefer: `wait=${waitSeconds}` },
    });
  }

  /** The event stream until `signal` aborts or the server closes it. */
  async *events(signal: AbortSignal, query = ""): AsyncGenerator<ServerEvent> {
    const headers = { authorization: `Bearer ${this.#key}`, accept: "text/event-stream" };
    const response = await fetch(this.#url(`/events${query}`), { headers, signal });
    if (response.status !== 200 || response.body === null) throw new Error(`GET /events: ${response.status} ${await response.text()}`);
    const decoder = new TextDecoder();
    let buffered = "";
    for await (const chunk of response.body) {
      buffered += decoder.decode(chunk, { stream: true });
      for (let end = buffered.indexOf("\n\n"); end >= 0; end = buffered.indexOf("\n\n")) {
        const event = parseEvent(buffered.slice(0, end));
        buffered = buffered.slice(end + 2);
        if (event !== undefined) yield event;
      }
    }
  }

  #url(path: string): string {
    return path.startsWith("/health") ? `${this.#base}${path}` : `${this.#base}/api/v1${path}`;
  }
}

/** One field of a JSON object, undefined when it is not there. */
export function field(json: Json | undefined, ...keys: readonly (string | number)[]): Json | undefined {
  let at: Json | undefined = json;
  for (const key of keys) {
    if (at === null || typeof at !== "object") return undefined;
    at = (at as { readonly [key: string]: Json | undefined })[key];
  }
  return at;
}

export function text(json: Json | undefined, ...keys: readonly (string | number)[]): string {
  const found = field(json, ...keys);
  if (typeof found !== "string") throw new Error(`no text at ${keys.join("/")} of ${JSON.stringify(json)}`);
  return found;
}

function parse(body: string): Json {
  if (body === "") return null;
  try {
    return JSON.parse(body) as Json;
  } catch {
    return body;
  }
}

/** One event of the stream (WHATWG server-sent events); comments and keep-alives give undefined. */
function parseEvent(block: string): ServerEvent | undefined {
  let id = "";
  let type = "message";
  const lines: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    const name = line.slice(0, colon);
    if (name === "id") id = value;
    if (name === "event") type = value;
    if (name === "data") lines.push(value);
  }
  return lines.length === 0 ? undefined : { id, type, body: parse(lines.join("\n")) };
}

function isClosedBefore(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && (cause.code === "UND_ERR_SOCKET" || cause.code === "ECONNRESET");
}
