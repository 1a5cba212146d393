/** The whole server over loopback with every door open, for tests of what is secured; strict in filters and replies. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { TestContext } from "node:test";
import type { ClientCredentials } from "@lwm2m/protocol/dtls/credentials-contract";
import { openDtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint/dtls-endpoint";
import type { DtlsEndpoint, DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { type App, openApp } from "../app.ts";
import { openLog } from "../log.ts";
import { parseSettings } from "../settings/config.ts";
import type { Json } from "../storage/collection.ts";

const apiKey = "a-key-for-the-tests";
const host = "127.0.0.1";

export interface SecuredApp {
  readonly app: App;
  /** What the log holds so far, one JSON object a line. */
  readonly lines: readonly string[];
  ask(method: string, path: string, body?: Json): Promise<{ readonly status: number; readonly body: Json; readonly location: string }>;
  close(): Promise<void>;
}

export async function aDataDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "secured-app-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function aSecuredApp(t: TestContext, directory: string, more: { readonly [name: string]: string } = {}): Promise<SecuredApp> {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const ports = { HTTP_PORT: "0", COAP_PORT: "0", BOOTSTRAP_COAP_PORT: "0", COAPS_PORT: "0", BOOTSTRAP_COAPS_PORT: "0" };
  const env = {
    DATA_DIR: directory,
    API_KEY: apiKey,
    COAP_HOST: host,
    COAP_RECEIVE_BUFFER_BYTES: "65536",
    COAP_TRACE: "all",
    ...ports,
    ...more,
  };
  const parsed = parseSettings(env, []);
  const settings = parsed.kind === "settings" ? parsed.settings : assert.fail(JSON.stringify(parsed));
  const log = openLog({ level: "debug", pretty: false, sink });
  const app = await openApp({ settings, log, clock: systemClock, random: systemRandom, strict: true });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await app.close();
    isOpen = false;
  };
  t.after(close);
  return {
    app,
    lines,
    close,
    async ask(method, path, body) {
      const headers = { authorization: `Bearer ${apiKey}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
      const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const reply = await fetch(`${app.httpOrigin}${path.startsWith("/health") ? path : `/api/v1${path}`}`, request);
      const text = await reply.text();
      const isJson = reply.headers.get("content-type")?.includes("json") === true;
      return { status: reply.status, body: isJson ? JSON.parse(text) : text || null, location: reply.headers.get("location") ?? "" };
    },
  };
}

/** A DTLS client of our own on its own port; `news` tells when the server ended the connection. */
export async function aDtlsClient(t: TestContext): Promise<{
  readonly endpoint: DtlsEndpoint;
  /** The datagrams it sent, as they are on the wire. */
  readonly sent: readonly Uint8Array[];
  connect(port: number, credentials: ClientCredentials): Promise<SocketAddress>;
  /** Resolves with the reason when the connection ends. */
  closed(): Promise<string>;
}> {
  const socket = await openUdpSocket({ address: host, port: 0 });
  const sent: Uint8Array[] = [];
  const recorded: DatagramSocket = {
    local: socket.local,
    onDatagram: (handler) => socket.onDatagram(handler),
    send: (bytes, to) => {
      sent.push(bytes.slice());
      socket.send(bytes, to);
    },
    close: () => socket.close(),
  };
  const endpoint = await openDtlsEndpoint({
    socket: recorded,
    clock: systemClock,
    random: systemRandom,
    onBug: (error) => assert.fail(String(error)),
  });
  t.after(() => endpoint.close());
  const ends: string[] = [];
  let tell: (reason: string) => void = (reason) => ends.push(reason);
  endpoint.onNews((news: DtlsNews) => {
    if (news.kind === "closed") tell(news.reason);
  });
  return {
    endpoint,
    sent,
    connect: (port, credentials) => endpoint.connect({ address: host, port }, credentials),
    closed: () =>
      new Promise((resolve) => {
        const [before] = ends;
        if (before !== undefined) resolve(before);
        else tell = resolve;
      }),
  };
}
