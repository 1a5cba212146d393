/** `GET /metrics`: for Prometheus, which sends the API key as `authorization`. */
import type { Route } from "../http/route.ts";
import type { Metrics } from "./metrics.ts";

export function metricsRoute(metrics: Metrics): Route {
  return {
    method: "GET",
    path: "/metrics",
    name: "getMetrics",
    summary: "The numbers of the server in the Prometheus text format",
    replies: { 200: { description: "Metrics, as text/plain" } },
    async handle() {
      const text = await metrics.text();
      return { status: 200, headers: { "Content-Type": metrics.contentType }, stream: once(text) };
    },
  };
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
