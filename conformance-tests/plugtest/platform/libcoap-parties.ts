/** libcoap's example programs as the client or the server of a plugtest case. */

import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { Child } from "../../interop/platform/child.ts";
import { eventuallySucceeds, patienceMs } from "../../interop/platform/deadline.ts";
import { coapRequest, giveUpSeconds } from "../../interop/platform/libcoap.ts";
import {
  largeText,
  type PlugtestAnswer,
  type PlugtestClient,
  type PlugtestRequest,
  type PlugtestServer,
  type PlugtestWatch,
} from "../party.ts";
import { loopback } from "./our-parties.ts";

const [optionIfMatch, optionEtag, optionIfNoneMatch] = [1, 4, 5];
/** Longer than any case: it is killed at the end of it. */
const observeSeconds = 200;

export async function openLibcoapClient(to: number, directory: string): Promise<PlugtestClient> {
  const uri = `coap://${loopback}:${to}`;
  const children: Child[] = [];
  const start = (args: readonly string[]): Child => {
    const child = new Child("coap-client", "coap-client-notls", args);
    children.push(child);
    return child;
  };
  return {
    request: (request) => ask(uri, request, directory),
    observe: async (path, { confirmable = true, forSeconds = observeSeconds } = {}) => {
      const port = await stablePort("udp");
      // `-w`: one line of output a body, which is also how the end of a body is seen.
      const args = ["-w", "-s", String(forSeconds), "-B", String(forSeconds + 5), "-p", String(port), ...(confirmable ? [] : ["-N"])];
      const child = start([...args, `${uri}${path}`]);
      await eventuallySucceeds("the first answer", patienceMs, async () => {
        if (child.stdout.length === 0) throw new Error(child.transcript());
      });
      return watchOf(child, () => start(["-p", String(port), "-T", "after", "-B", String(giveUpSeconds), `${uri}/separate`]));
    },
    acknowledgesOnce: true,
    // A ping after a second in which nothing else was to be sent.
    ping: async () => void (await start(["-K", "1", "-s", "3", "-B", String(giveUpSeconds), `${uri}/obs`]).exited),
    close: async () => {
      for (const child of children) child.kill();
      await Promise.all(children.map(({ exited }) => exited));
    },
  };
}

function watchOf(child: Child, restart: () => Child): PlugtestWatch {
  return {
    get seen() {
      return child.stdout.filter((line) => line !== "");
    },
    // It cancels when its time is over.
    cancel: async () => void (await child.exited),
    forget: async () => {
      child.kill();
      await child.exited;
      restart();
    },
  };
}

async function ask(uri: string, request: PlugtestRequest, directory: string): Promise<PlugtestAnswer> {
  const { method, path, payload, accept, etag, ifMatch, ifNoneMatch, blockSizeBytes } = request;
  const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString("hex")}`;
  const args: string[] = [];
  if (ifMatch !== undefined) args.push("-O", `${optionIfMatch},${hex(ifMatch)}`);
  if (etag !== undefined) args.push("-O", `${optionEtag},${hex(etag)}`);
  if (ifNoneMatch) args.push("-O", `${optionIfNoneMatch},`);
  const answer = await coapRequest(method, `${uri}${path}`, {
    directory,
    args,
    nonConfirmable: request.confirmable === false,
    ...(payload === undefined ? {} : { payload, contentFormat: 0 }),
    ...(accept === undefined ? {} : { accept }),
    ...(blockSizeBytes === undefined ? {} : { blockSize: blockSizeBytes }),
  });
  if (answer.code === undefined) throw new Error(`libcoap's client got no answer\n${answer.trace.slice(-20).join("\n")}`);
  return { code: answer.code, payload: Buffer.from(answer.payload).toString() };
}

const names = {
  test: "/test",
  separate: "/async?1",
  segments: "/seg1/seg2/seg3",
  query: "/query",
  large: "/large",
  largeUpdate: "/large-update",
  obs: "/obs",
  obsNon: "/obs-non",
  obsLarge: "/obs-large",
} as const;

/** Resources of its own are few; `-d` lets a PUT create more, all of them observable. */
const bodies: { readonly [path: string]: string } = {
  [names.test]: "test",
  [names.segments]: names.segments,
  [names.query]: "query",
  [names.large]: largeText,
  [names.obs]: "0",
  [names.obsNon]: "0",
  [names.obsLarge]: largeText,
};

export async function openLibcoapServer(directory: string, nonConfirmableNotifications: boolean): Promise<PlugtestServer> {
  const port = await stablePort("udp");
  const uri = `coap://${loopback}:${port}`;
  const put = async (path: string, payload: string) => void (await ask(uri, { method: "put", path, payload }, directory));
  const start = async (): Promise<Child> => {
    const flags = nonConfirmableNotifications ? ["-N"] : [];
    const child = new Child("coap-server", "coap-server-notls", ["-A", loopback, "-p", String(port), "-d", "20", ...flags]);
    for (const [path, body] of Object.entries(bodies)) await eventuallySucceeds("libcoap's server", patienceMs, () => put(path, body));
    return child;
  };
  let child = await start();
  return {
    port,
    resources: names,
    change: put,
    forgetsRequests: true,
    endsByNon: true,
    omitsFinalBlock1: true,
    // The only end it knows: the resource is deleted.
    endRelations: async (path) => void (await ask(uri, { method: "delete", path }, directory)),
    reboot: async () => {
      await child.stop("SIGKILL");
      child = await start();
    },
    close: async () => void (await child.stop()),
  };
}
