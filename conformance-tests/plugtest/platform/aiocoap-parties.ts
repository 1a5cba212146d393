/** aiocoap as the client or the server of a plugtest case; one Python process holds all of them. */
import { eventuallySucceeds, patienceMs } from "../../interop/platform/deadline.ts";
import { numberOf, type PythonObject, type PythonPeer, textOf } from "../../interop/platform/python-peer.ts";
import type { PlugtestAnswer, PlugtestClient, PlugtestRequest, PlugtestServer, PlugtestWatch } from "../party.ts";
import { describedNames, loopback } from "./our-parties.ts";

const [optionIfMatch, optionEtag, optionIfNoneMatch, optionObserve, optionContentFormat, optionAccept] = [1, 4, 5, 6, 12, 17];
const codes = { "4.04": 0x84, "4.06": 0x86 } as const;
const watchToken = "a10c0a9";

export async function openAiocoapClient(python: PythonPeer, to: number): Promise<PlugtestClient> {
  const client = numberOf((await python.ask({ do: "open-client" })).ok, "client");
  const uri = `coap://${loopback}:${to}`;
  const ask = async (request: PlugtestRequest, more: PythonObject = {}) =>
    answerOf((await python.ask({ do: "request", client, ...commandOf(uri, request), ...more })).ok);
  return {
    request: (request) => ask(request, request.emptyToken ? { token: "" } : {}),
    observe: async (path, { confirmable = true } = {}) => {
      const request: PlugtestRequest = { method: "get", path, confirmable };
      const token = `${watchToken}${(client % 16).toString(16)}`;
      const { id, ok } = await python.ask({ do: "observe", client, ...commandOf(uri, request), token });
      const first = answerOf(ok).payload;
      const forget = async () => void (await python.ask({ do: "forget", watch: id }));
      return watchOf(python, id, first, forget, async () => {
        await forget();
        // aiocoap only ever stops listening; the GET with Observe 1 and the same token is written here, and sent by it.
        await ask(request, { options: [[optionObserve, "01"]], token });
      });
    },
    ping: async () => void (await python.ask({ do: "ping", client, uri })),
    close: async () => void (await python.ask({ do: "close", party: client })),
  };
}

function watchOf(python: PythonPeer, id: number, first: string, forget: () => Promise<void>, cancel: () => Promise<void>): PlugtestWatch {
  return {
    get seen() {
      const later = python.told(id).filter((told) => told["ended"] === undefined && textOf(told, "code").startsWith("2."));
      return [first, ...later.map((told) => answerOf(told).payload)];
    },
    forget,
    cancel,
  };
}

function commandOf(uri: string, request: PlugtestRequest): PythonObject {
  const { method, path, confirmable = true, payload, accept, etag, ifMatch, ifNoneMatch, blockSizeBytes } = request;
  const options: [number, string][] = [];
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  if (ifMatch !== undefined) options.push([optionIfMatch, hex(ifMatch)]);
  if (etag !== undefined) options.push([optionEtag, hex(etag)]);
  if (ifNoneMatch) options.push([optionIfNoneMatch, ""]);
  if (payload !== undefined) options.push([optionContentFormat, ""]);
  if (accept !== undefined) options.push([optionAccept, accept === 0 ? "" : accept.toString(16)]);
  return {
    method,
    uri: `${uri}${path}`,
    confirmable,
    options,
    payload: Buffer.from(payload ?? "").toString("hex"),
    ...(blockSizeBytes === undefined ? {} : { blockSize: blockSizeBytes }),
  };
}

export function answerOf(object: PythonObject): PlugtestAnswer {
  return { code: textOf(object, "code"), payload: Buffer.from(textOf(object, "payload"), "hex").toString() };
}

export async function openAiocoapServer(python: PythonPeer): Promise<PlugtestServer> {
  const open = async (port: number) => (await python.ask({ do: "open-server", port })).ok;
  const opened = await open(0);
  const port = numberOf(opened, "port");
  let server = numberOf(opened, "server");
  const about = (path: string): PythonObject => ({ server, path: path.slice(1) });
  return {
    port,
    resources: describedNames,
    change: async (path, body) => void (await python.ask({ do: "change", ...about(path), body: Buffer.from(body).toString("hex") })),
    endRelations: async (path, code) => void (await python.ask({ do: "end", ...about(path), code: codes[code] })),
    observers: async (path) => numberOf((await python.ask({ do: "observers", ...about(path) })).ok, "count"),
    reboot: async () => {
      await python.ask({ do: "close", party: server });
      // The operating system may need a moment to give the port back.
      server = numberOf(await eventuallySucceeds("the port", patienceMs, () => open(port)), "server");
    },
    close: async () => void (await python.ask({ do: "close", party: server })),
  };
}
