/** The server as a process with every door open, and devices that speak to it over DTLS. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { OutgoingRequest, OutgoingResponse, RequestOutcome } from "@lwm2m/protocol/coap/message";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { stablePort } from "../testing/platform/stable-port.ts";
import { aDtlsClient } from "../testing/secured-app.ts";

const apiKey = "a-key-for-the-tests";
export const psk = { identity: "me", key: "a key of sixteen bytes or more" };
export const ownKey = { psk: { identity: Buffer.from(psk.identity), key: Buffer.from(psk.key) } };
export const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

export const aRegister: OutgoingRequest = {
  method: Method.post,
  path: ["rd"],
  query: ["ep=dev-1", "lt=3600", "lwm2m=1.1", "b=U"],
  contentFormat: ContentFormat.linkFormat,
  payload: new TextEncoder().encode('</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>'),
};
export const aSend = (value: number): OutgoingRequest => ({
  method: Method.post,
  path: ["dp"],
  contentFormat: ContentFormat.senmlJson,
  payload: json([{ n: "/3/0/9", v: value }]),
});

export function codeOf(outcome: RequestOutcome): string {
  return outcome.ok ? formatCode(outcome.response.code) : outcome.reason;
}

/** A device of our own DTLS and CoAP; `answer` is what it says to every request. */
export async function aDevice(t: TestContext, answer: OutgoingResponse = { code: ResponseCode.changed }) {
  const client = await aDtlsClient(t);
  let handshakes = 0;
  client.endpoint.onNews(({ kind }) => {
    if (kind === "connected") handshakes += 1;
  });
  const coap = openCoapEndpoint({ socket: client.endpoint.plaintext, clock: systemClock, random: systemRandom });
  t.after(() => coap.close());
  const asked: string[] = [];
  coap.handle(({ method, path }) => {
    asked.push(`${method} /${path.join("/")}`);
    return answer;
  });
  return {
    asked,
    get handshakes(): number {
      return handshakes;
    },
    /** A wrong key is answered by silence: no connection within a second. */
    async isLetIn(port: number): Promise<boolean> {
      const giveUp = new AbortController();
      const timer = systemClock.after(1_000, () => giveUp.abort());
      const connecting = client.endpoint.connect({ address: "127.0.0.1", port }, ownKey, { signal: giveUp.signal });
      const isIn = await connecting.then(
        () => true,
        () => false,
      );
      timer.cancel();
      return isIn;
    },
    async connect(port: number) {
      const peer = coap.peerAt(await client.connect(port, ownKey));
      return (request: OutgoingRequest): Promise<RequestOutcome> => coap.request(peer, request, { timeoutMs: 60_000 });
    },
  };
}

type Ports = { readonly [door: string]: number };

/** For a process that is killed and started again. */
export async function doorPorts(): Promise<Ports> {
  return { http: await stablePort("tcp"), coap: await stablePort("udp"), coaps: await stablePort("udp") };
}

export async function aProcess(t: TestContext, directory: string, ports: Ports) {
  const portOf = (door: string): string => String(ports[door] ?? 0);
  const env = {
    ...{
      PATH: process.env["PATH"] ?? "",
      DATA_DIR: directory,
      API_KEY: apiKey,
      COAP_HOST: "127.0.0.1",
      COAP_RECEIVE_BUFFER_BYTES: "65536",
    },
    ...{ HTTP_PORT: portOf("http"), COAP_PORT: portOf("coap"), COAPS_PORT: portOf("coaps") },
    ...{ BOOTSTRAP_COAP_PORT: "0", BOOTSTRAP_COAPS_PORT: "0" },
  };
  const child = spawn(process.execPath, [fileURLToPath(new URL("../main.js", import.meta.url))], { env });
  t.after(() => child.kill("SIGKILL"));
  const bound = await boundPorts(child);
  return {
    ports: bound,
    async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
    },
    async ask(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
      const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json", prefer: "wait=30" };
      const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const reply = await fetch(`http://127.0.0.1:${bound["http"]}/api/v1${path}`, request);
      const answer: unknown = await reply.json();
      assert.ok(typeof answer === "object" && answer !== null);
      return { status: reply.status, body: { ...answer } };
    },
  };
}

async function boundPorts(child: ChildProcessWithoutNullStreams): Promise<Ports> {
  const ports: { [door: string]: number } = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const { message, door = "", port = 0 }: { message: string; door?: string; port?: number } = JSON.parse(line);
    if (message === "listening") ports[door] = port;
    if (message === "listening" && door === "http") {
      child.stdout.resume();
      return ports;
    }
  }
  throw new Error("the server ended while it started");
}

/** Polls, because the device asks nobody. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn === 6_000) assert.fail("it did not come about");
    await new Promise<void>((resolve) => systemClock.after(10, resolve));
  }
}
