/** Load on the doors of a server whose store comes and goes: one request after the other, what was acknowledged, what was refused. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { loopback, openQuickEndpoint } from "../../plugtest/platform/our-parties.ts";
import { patienceMs } from "./deadline.ts";
import { type RestClient, text } from "./rest-client.ts";

export interface Load {
  /** Endpoint names, or operation ids. */
  readonly acknowledged: string[];
  /** The place of the last of them among all that were asked for. */
  lastPlace: number;
  /** With 5.03 or 503 and a time to come back. */
  refused: number;
  /** Nobody answered. */
  unanswered: number;
  /** Any other answer. */
  readonly strange: string[];
  stop(): Promise<void>;
}

type Outcome = { readonly acknowledged: string } | "refused" | "unanswered" | { readonly strange: string };

/** Registers one device after the other; each stays. A socket each: who was refused on one holds back (RFC 7252 §5.9.3.4). */
export function startRegistering(port: number, prefix: string): Load {
  const objects = new TextEncoder().encode("</1/0>,</3/0>");
  return start(async (count) => {
    const name = `${prefix}-${count}`;
    const query = [`ep=${name}`, "lt=86400", "lwm2m=1.1", "b=U"];
    const request = { method: Method.post, path: ["rd"], query, contentFormat: 40, payload: objects };
    const endpoint = await openQuickEndpoint();
    const outcome = await endpoint.request(endpoint.peerAt({ address: loopback, port }), request, { timeoutMs: patienceMs });
    await endpoint.close();
    if (!outcome.ok) return "unanswered";
    const { code, maxAgeSeconds } = outcome.response;
    if (code === ResponseCode.created) return { acknowledged: name };
    if (code === ResponseCode.serviceUnavailable && maxAgeSeconds !== undefined) return "refused";
    return { strange: `${name}: code ${code}, Max-Age ${maxAgeSeconds}` };
  });
}

/** Orders one write after the other; `/3/0/14` says which one was the last, `+N` by its place among those asked for. */
export function startOperating(rest: RestClient, endpoint: string): Load {
  return start(async (count) => {
    const body = { kind: "write", path: "/3/0/14", value: `+${count}` };
    const reply = await rest
      .send("POST", `/devices/${endpoint}/operations`, { body, headers: { prefer: "respond-async" } })
      .catch(() => undefined);
    if (reply === undefined) return "unanswered";
    if (reply.status === 202) return { acknowledged: text(reply.body, "id") };
    if ((reply.status === 503 || reply.status === 429) && reply.headers.has("retry-after")) return "refused";
    return { strange: `${reply.status} ${JSON.stringify(reply.body)}` };
  });
}

function start(ask: (count: number) => Promise<Outcome>): Load {
  let isOver = false;
  const run = async (): Promise<void> => {
    for (let count = 0; !isOver; count++) {
      take(load, count, await ask(count));
    }
  };
  const running = Promise.resolve().then(run);
  const load: Load = {
    ...{ acknowledged: [], lastPlace: -1, refused: 0, unanswered: 0, strange: [] },
    stop() {
      isOver = true;
      return running;
    },
  };
  return load;
}

function take(load: Load, place: number, outcome: Outcome): void {
  if (outcome === "refused") load.refused++;
  else if (outcome === "unanswered") load.unanswered++;
  else if ("acknowledged" in outcome) {
    load.acknowledged.push(outcome.acknowledged);
    load.lastPlace = place;
  } else load.strange.push(outcome.strange);
}
