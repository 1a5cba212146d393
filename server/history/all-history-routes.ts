/** The addresses of this feature: of one device, and over all of them. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { Route } from "../http/route.ts";
import type { Store } from "../storage/store.ts";
import { fleetHistoryRoutes } from "./fleet-http.ts";
import { type HistoryRoutesDeps, historyRoutes } from "./history-http.ts";
import { LatestValues } from "./latest-values.ts";

export function allHistoryRoutes({
  store,
  registry,
  ...deps
}: Omit<HistoryRoutesDeps, "telemetry"> & { readonly store: Store; readonly registry: ObjectRegistry }): Route[] {
  const { telemetry } = store;
  return [
    ...historyRoutes({ ...deps, telemetry }),
    ...fleetHistoryRoutes({ telemetry, latest: new LatestValues(store), registry, clock: deps.clock }),
  ];
}
