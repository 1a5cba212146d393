/** The payload of a Write or Create, in the formats that the device may read. Pure. */
import { formatsFor } from "@lwm2m/protocol/lwm2m/format-choice";
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import { type PlanBody, type PlanTarget, rootOf } from "./operation-plan.ts";

export function valuesBody(values: readonly PathValue[], path: Lwm2mPath, target: PlanTarget, model: DeviceModel): PlanBody {
  const context = { path, typeOf: model.typeOf, rootPath: rootOf(target) };
  const formats = formatsFor({ clientFormats: target.contentFormats, lwm2mVersion: target.lwm2mVersion, values });
  return { use: "values", formats, encode: (format) => encodePayload(format, values, context) };
}
