/** Liveness, readiness (open to everyone: load balancers have no key) and the version. */
import type { Route } from "./route.ts";

export interface Readiness {
  /** What keeps the server from doing its work, one sentence each; empty when it is ready. */
  findFaults(): Promise<readonly string[]>;
}

export function healthRoutes(readiness: Readiness): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/health/live",
      name: "getLiveness",
      summary: "The process answers",
      replies: { 200: { description: "It lives", schema: statusSchema } },
      handle: async () => ({ status: 200, body: { status: "live" } }),
    },
    {
      method: "GET",
      path: "/health/ready",
      name: "getReadiness",
      summary: "Every door is open and the store answers",
      replies: {
        200: { description: "Ready for devices and requests", schema: statusSchema },
        503: { description: "Not ready; `reasons` says why", schema: statusSchema },
      },
      async handle() {
        const reasons = await readiness.findFaults();
        return reasons.length === 0 ? { status: 200, body: { status: "ready" } } : { status: 503, body: { status: "not-ready", reasons } };
      },
    },
  ];
}

export function versionRoute(version: string): Route {
  return {
    method: "GET",
    path: "/version",
    name: "getVersion",
    summary: "Version of the server and of the standards it speaks",
    replies: {
      200: {
        description: "Versions",
        schema: {
          type: "object",
          properties: { version: { type: "string" }, lwm2m: { type: "array", items: { type: "string" } } },
          required: ["version", "lwm2m"],
        },
      },
    },
    handle: async () => ({ status: 200, body: { version, lwm2m: ["1.0", "1.1"] } }),
  };
}

const statusSchema = {
  type: "object",
  properties: { status: { enum: ["live", "ready", "not-ready"] }, reasons: { type: "array", items: { type: "string" } } },
  required: ["status"],
} as const;
