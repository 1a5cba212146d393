/** Back-pressure towards programs: what would write is put off while the store is pressed; `GET /store` shows how it is. */
import type { Pressure } from "../storage/store-pressure.ts";
import type { Reply, Route } from "./route.ts";

export interface PressureView {
  readonly pressure: () => Pressure;
  /** Requests of devices put off since the start. */
  readonly putOff: { readonly sends: number; readonly registrations: number };
}

/** Since the start. */
export interface PutOff {
  readonly sends: number;
  readonly registrations: number;
  readonly requests: number;
}

/** Seconds, for Retry-After. */
const slowRetrySeconds = 5;
const refusingRetrySeconds = 30;

/** Routes behind a gate, and one that tells of it; `more` are added with the number of requests put off at hand. */
export function pressedRoutes(
  routes: readonly Route[],
  view: PressureView,
  more: (putOff: () => PutOff) => readonly Route[] = () => [],
): readonly Route[] {
  const counted = { requests: 0 };
  const putOff = (): PutOff => ({ ...view.putOff, requests: counted.requests });
  const gate = (route: Route): Route => ({
    ...route,
    handle: async (request) => {
      const reply = refusal(route, view.pressure().level);
      if (reply === undefined) return route.handle(request);
      counted.requests += 1;
      request.stream?.resume();
      return reply;
    },
  });
  return [...routes.map((route) => (route.method === "GET" ? route : gate(route))), storeRoute(view, putOff), ...more(putOff)];
}

function refusal({ method }: Route, level: Pressure["level"]): Reply | undefined {
  switch (level) {
    case "normal":
      return undefined;
    case "slow": {
      // What takes work away goes on.
      if (method === "DELETE") return undefined;
      const detail = "the store is slow now and takes no new work for a moment";
      return { problem: { type: "store-busy", detail, retryAfterSeconds: slowRetrySeconds } };
    }
    case "refusing":
      return { problem: { type: "unavailable", detail: "the store does not keep up now", retryAfterSeconds: refusingRetrySeconds } };
  }
}

function storeRoute({ pressure }: PressureView, putOff: () => PutOff): Route {
  return {
    method: "GET",
    path: "/store",
    name: "getStore",
    summary: "How hard the store is pressed, and what was put off for it since the server started",
    replies: { 200: { description: "The store", schema: storeSchema } },
    async handle() {
      const { reached, ...now } = pressure();
      return { status: 200, body: { ...now, reached: { ...reached }, putOff: { ...putOff() } } };
    },
  };
}

const count = { type: "integer" } as const;

const storeSchema = {
  type: "object",
  properties: {
    level: { enum: ["normal", "slow", "refusing"] },
    waiting: { ...count, description: "documents and points whose commit is awaited" },
    commitP95Ms: { type: "number", description: "of the last ten seconds; 0 when there were too few to tell" },
    oldestMs: { type: "number", description: "how long the longest waiting write has waited" },
    reached: { type: "object", properties: { slow: count, refusing: count }, required: ["slow", "refusing"] },
    putOff: {
      type: "object",
      properties: { sends: count, registrations: count, requests: count },
      required: ["sends", "registrations", "requests"],
    },
  },
  required: ["level", "waiting", "commitP95Ms", "oldestMs", "reached", "putOff"],
} as const;
