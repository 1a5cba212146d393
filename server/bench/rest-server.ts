/**
 * The server under load of `rest.bench.ts`, `registration.bench.ts`, `fleet.bench.ts` and `million.bench.ts`, a process of its own so that its
 * CPU time is its own: `ours DIRECTORY [LOG-LEVEL]` is the whole server with one device and one value it sent, its log (errors alone, unless told
 * otherwise) written and thrown away; `memory DIRECTORY` the same on a store that is not kept, `bare-express JSON` answers that JSON to everything.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Writable } from "node:stream";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { settledHeapBytes } from "@lwm2m/protocol/platform/settled-heap";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import express from "express";
import { openApp } from "../app.ts";
import { openLog } from "../log.ts";
import { boundHeapGrowth } from "../platform/heap-growth.ts";
import { parseSettings } from "../settings/config.ts";
import { openMemoryStore } from "./memory-store.ts";

const loopback = "127.0.0.1";

const [kind = "", argument = "", logLevel = "error"] = process.argv.slice(2);
boundHeapGrowth();
const delay = monitorEventLoopDelay({ resolution: 1 });
process.on("message", (asked) => process.send?.(asked === "watch" ? watch() : asked === "heap" ? heap() : usage()));

if (kind === "ours" || kind === "memory") await serveOurs(argument);
else serveBare(JSON.parse(argument));

async function serveOurs(directory: string): Promise<void> {
  const env = {
    DATA_DIR: directory,
    API_KEY: "a-key-for-the-bench",
    HTTP_PORT: "0",
    COAP_HOST: loopback,
    COAP_PORT: "0",
    BOOTSTRAP_COAP_PORT: "0",
    LOG_LEVEL: logLevel,
  };
  const parsed = parseSettings(env, []);
  if (parsed.kind !== "settings") throw new Error("the settings of the bench are wrong");
  const log = openLog({
    level: parsed.settings.logLevel,
    pretty: false,
    sink: new Writable({ write: (_chunk, _encoding, done) => done() }),
  });
  const store = kind === "memory" ? { openStore: openMemoryStore } : {};
  const app = await openApp({ settings: parsed.settings, log, clock: systemClock, random: systemRandom, ...store });
  await sendOneValue(app.coapPort);
  process.on("disconnect", () => void app.close().then(() => process.exit(0)));
  process.send?.({ port: Number(new URL(app.httpOrigin).port), coapPort: app.coapPort });
}

async function sendOneValue(port: number): Promise<void> {
  const socket = await openUdpSocket({ address: loopback, port: 0 });
  const device = openCoapEndpoint({ socket, clock: systemClock, random: systemRandom });
  const server = device.peerAt({ address: loopback, port });
  const post = async (path: string, query: readonly string[], contentFormat: number, text: string): Promise<void> => {
    const payload = new TextEncoder().encode(text);
    const outcome = await device.request(server, { method: Method.post, path: [path], query, contentFormat, payload });
    if (!outcome.ok || outcome.response.code >> 5 !== 2) throw new Error(`the server did not take /${path}`);
  };
  await post("rd", ["ep=bench", "lt=86400", "lwm2m=1.1", "b=U"], ContentFormat.linkFormat, "</1/0>,</3/0>,</3303/0>");
  await post("dp", [], ContentFormat.senmlJson, '[{"n":"/3303/0/5700","v":20.5}]');
  await device.close();
}

function serveBare(body: unknown): void {
  const app = express();
  app.disable("x-powered-by");
  app.use((_request, response) => void response.json(body));
  const listener = app.listen(0, loopback, () => {
    const bound = listener.address();
    if (bound === null || typeof bound === "string") throw new Error("express listens on no TCP port");
    process.send?.({ port: bound.port });
  });
  process.on("disconnect", () => process.exit(0));
}

/** From now on. */
function watch(): object {
  delay.enable();
  delay.reset();
  return {};
}

/** What is held after a collection, and that takes a moment. */
function heap(): object {
  return { heapBytes: settledHeapBytes() };
}

function usage(): object {
  return { cpuUs: cpuMicroseconds(), delayP99Ms: delay.percentile(99) / 1e6 };
}

function cpuMicroseconds(): number {
  const { system, user } = process.cpuUsage();
  return system + user;
}
