/** The whole server over loopback without secured doors, and what speaks to it byte by byte. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import type { TestContext } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { openApp } from "../app.ts";
import { openLog } from "../log.ts";
import { parseSettings } from "../settings/config.ts";

export const key = "a-key-for-the-tests";

/** The whole server over loopback: every filter must have its index, every reply its schema, and nothing may be logged as a fault. */
export async function anApp(t: TestContext, directory: string, more: { readonly [name: string]: string } = {}) {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  // The secured doors follow: a free port of their own each.
  const ports = { HTTP_PORT: "0", COAP_PORT: "0", BOOTSTRAP_COAP_PORT: "0" };
  // A buffer that every system grants.
  const env = { DATA_DIR: directory, API_KEY: key, COAP_HOST: "127.0.0.1", COAP_RECEIVE_BUFFER_BYTES: "65536", ...ports, ...more };
  const parsed = parseSettings(env, []);
  const settings = parsed.kind === "settings" ? parsed.settings : assert.fail();
  const log = openLog({ level: "info", pretty: false, sink });
  const app = await openApp({ settings, log, clock: systemClock, random: systemRandom, strict: true });
  t.after(() => app.close());
  const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(`${app.httpOrigin}/api/v1${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
  const assertNoFaults = () =>
    assert.deepEqual(
      lines.filter((line) => /"level":"(error|warn)"/.test(line)),
      [],
    );
  return { app, ask, assertNoFaults, lines };
}

/** A device by hand: it says what it is told to, in bytes written here. */
export async function aDevice(
  t: TestContext,
  serverPort: number,
  answer: (request: IncomingRequest) => { code: number; payload?: string },
  address = "127.0.0.1",
) {
  const socket = await openUdpSocket({ address, port: 0 });
  const endpoint: CoapEndpoint = openCoapEndpoint({ socket, clock: systemClock, random: systemRandom });
  t.after(() => endpoint.close());
  endpoint.handle((request) => {
    const { code, payload } = answer(request);
    return payload === undefined ? { code } : { code, contentFormat: ContentFormat.text, payload: new TextEncoder().encode(payload) };
  });
  const server = endpoint.peerAt({ address, port: serverPort });
  return async (request: OutgoingRequest) => {
    const outcome = await endpoint.request(server, request);
    return outcome.ok ? outcome.response : assert.fail(outcome.reason);
  };
}

/** Datagrams in hexadecimal, one answered at a time. */
export async function aRawPeer(t: TestContext, serverPort: number) {
  const socket = await openUdpSocket({ address: "127.0.0.1", port: 0 });
  t.after(() => socket.close());
  const heard: string[] = [];
  let tell: () => void = () => {};
  socket.onDatagram((bytes) => {
    heard.push(Buffer.from(bytes).toString("hex"));
    tell();
  });
  const say = async (hex: string): Promise<readonly string[]> => {
    const from = heard.length;
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    socket.send(Buffer.from(hex, "hex"), { address: "127.0.0.1", port: serverPort });
    await told;
    return heard.slice(from);
  };
  return { port: socket.local.port, heard, say };
}

export function register(endpointName: string, lifetimeSeconds = 300): OutgoingRequest {
  return {
    method: Method.post,
    path: ["rd"],
    query: [`ep=${endpointName}`, `lt=${lifetimeSeconds}`, "lwm2m=1.0", "b=U"],
    contentFormat: ContentFormat.linkFormat,
    payload: new TextEncoder().encode("</1/0>,</3/0>"),
  };
}
