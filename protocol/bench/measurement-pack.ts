/** A SenML-CBOR pack as a sensor sends it: one base name and base time, then name, double and time of each record. */
import { CborWriter } from "../cbor/cbor-writer.ts";
import type { ResourceTypeLookup } from "../lwm2m/value.ts";

export const nowMs = 1_700_000_000_000;

/** Labels of RFC 8428 §6. */
const label = { baseName: -2, baseTime: -3, name: 0, value: 2, time: 6 } as const;
const resources = ["5700", "5601", "5602"];
const float = { type: "float", multiple: false } as const;
const temperature = new Map([5700, 5601, 5602].map((resourceId) => [resourceId, float]));

export const measurementTypes: ResourceTypeLookup = (objectId, resourceId) => (objectId === 3303 ? temperature.get(resourceId) : undefined);

/** 219 B for 10 records. */
export function measurementPack(records: number): Uint8Array {
  const writer = new CborWriter();
  writer.array(records);
  for (let index = 0; index < records; index++) {
    writer.map(index === 0 ? 5 : 3);
    if (index === 0) {
      writer.integer(label.baseName);
      writer.text("/3303/100/");
      writer.integer(label.baseTime);
      writer.integer(nowMs / 1_000);
    }
    writer.integer(label.name);
    writer.text(resources[index % resources.length] ?? "");
    writer.integer(label.value);
    writer.float(21.1 + index / 10);
    writer.integer(label.time);
    writer.integer(-600 * index);
  }
  return writer.toBytes();
}
