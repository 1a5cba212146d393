/** Notification attributes of an operation as query, checked by their rules and by the type of the resource (LwM2M Core 1.2 §5.1.2, table 5.1.2.-2). Pure. */
import {
  type AttributeName,
  attributeNames,
  encodeAttributeQuery,
  findAttributeProblem,
  isAttributeName,
  mergeAttributes,
  parseAttributeQuery,
} from "@lwm2m/protocol/lwm2m/attributes";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { formatPath, type Lwm2mPath, levelOf, type PathLevel } from "@lwm2m/protocol/lwm2m/path";
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import type { OperationRequest } from "./operation.ts";

export type AttributeOutcome = { readonly ok: true; readonly query: readonly string[] } | { readonly ok: false; readonly detail: string };

type Attributes = NonNullable<OperationRequest["attributes"]>;

/** Of a Write-Attributes to this path. */
export function attributesAt(attributes: Attributes, path: Lwm2mPath, model: DeviceModel): AttributeOutcome {
  const outcome = attributeQuery(attributes, levelOf(path));
  if (!outcome.ok) return outcome;
  const type = path.resourceId === undefined ? undefined : model.typeOf(path.objectId, path.resourceId)?.type;
  const misfit = attributeNames.find((name) => attributes[name] !== undefined && type !== undefined && !fits(name, type));
  return misfit === undefined
    ? outcome
    : { ok: false, detail: `${misfit} does not apply to ${formatPath(path)}, which is of type ${type}` };
}

/** Attributes that hold for a whole composite observation (LwM2M Core 1.2 §6.4.3). */
const compositeNames: ReadonlySet<string> = new Set(["pmin", "pmax", "epmin", "epmax", "con"]);

/** Of a composite observation, which carries them itself since 1.2; before, they are written to each path, and so removed there. */
export function compositeAttributes(attributes: Attributes, lwm2mVersion: string): AttributeOutcome {
  const isCarried = lwm2mVersion >= "1.2";
  const wrong = Object.keys(attributes).find((name) => !compositeNames.has(name) || (isCarried && attributes[name] === null));
  if (wrong !== undefined)
    return { ok: false, detail: `${wrong}: a composite observation takes values of ${[...compositeNames].join(", ")}` };
  return attributeQuery(attributes, "object");
}

function attributeQuery(attributes: Attributes, level: PathLevel): AttributeOutcome {
  const unknown = Object.keys(attributes).find((name) => !isAttributeName(name));
  if (unknown !== undefined) return { ok: false, detail: `${JSON.stringify(unknown)} is no notification attribute` };
  const query = encodeAttributeQuery(attributes);
  if (query.length === 0) return { ok: false, detail: "at least one attribute is needed" };
  try {
    const problem = findAttributeProblem(mergeAttributes({}, parseAttributeQuery(query)), level);
    return problem === undefined
      ? { ok: true, query }
      : { ok: false, detail: `the attributes contradict each other or the path: ${problem}` };
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return { ok: false, detail: error.message };
    throw error;
  }
}

const numeric: ReadonlySet<ResourceType> = new Set(["integer", "unsigned", "float", "time"]);

function fits(name: AttributeName, type: ResourceType): boolean {
  if (name === "edge") return type === "boolean";
  return name === "gt" || name === "lt" || name === "st" ? numeric.has(type) : true;
}
