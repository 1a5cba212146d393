/** Points: in a time-series collection where the server has them, otherwise one document per (series, time). */
import type { TelemetryStore } from "../store.ts";
import { refuses } from "./mongo-indexes.ts";
import { PlainPoints } from "./plain-points.ts";
import { pointCollection, type TelemetryParts } from "./point-documents.ts";
import { TimeSeries } from "./time-series.ts";

export async function openMongoTelemetry(parts: TelemetryParts): Promise<TelemetryStore> {
  const { database, onWarning } = parts;
  const [existing] = await database.listCollections({ name: pointCollection }).toArray();
  if (existing !== undefined) return existing.type === "timeseries" ? new TimeSeries(parts) : new PlainPoints(parts);
  try {
    await database.createCollection(pointCollection, { timeseries: { timeField: "t", metaField: "m", granularity: "minutes" } });
    return new TimeSeries(parts);
  } catch (error) {
    if (refuses(error, "already exists")) return openMongoTelemetry(parts);
    if (!refuses(error, "timeseries") && !refuses(error, "time-series")) throw error;
    onWarning("this MongoDB server has no time-series collections: points are kept in a plain one, which takes more space");
    return new PlainPoints(parts);
  }
}
