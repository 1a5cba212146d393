/** One step of a plan as a CoAP request, and what its answer tells (LwM2M Core 1.1 §6.1.7.2 to §6.1.7.6). */
import { isSuccess, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingResponse, OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { findAttribute, parseLinks } from "@lwm2m/protocol/lwm2m/link-format";
import { findPath, formatPath, pathIds } from "@lwm2m/protocol/lwm2m/path";
import { encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { ResourceTypeLookup } from "@lwm2m/protocol/lwm2m/value";
import { type FoundSecurity, type PlanStep, writeValues } from "./bootstrap-plan.ts";

export function requestOf(step: PlanStep, contentFormat: number, typeOf: ResourceTypeLookup): OutgoingRequest {
  switch (step.kind) {
    case "delete":
      return { method: Method.delete, path: step.path === undefined ? [] : pathIds(step.path).map(String) };
    case "discover":
      return { method: Method.get, path: pathIds(step.path).map(String), accept: ContentFormat.linkFormat };
    case "write": {
      const { path, values } = writeValues(step);
      return {
        method: Method.put,
        path: pathIds(path).map(String),
        contentFormat,
        payload: encodePayload(contentFormat, values, { path, typeOf }),
      };
    }
    case "finish":
      return { method: Method.post, path: ["bs"] };
  }
}

/** `Write /0/1`, `Delete /`: for logs. Never a value: it may be a key. */
export function describeStep(step: PlanStep): string {
  switch (step.kind) {
    case "delete":
      return `Delete ${step.path === undefined ? "/" : formatPath(step.path)}`;
    case "discover":
      return `Discover ${formatPath(step.path)}`;
    case "write":
      return `Write /${step.target.objectId}/${step.target.instanceId}`;
    case "finish":
      return "Finish";
  }
}

/** What an answer says, and what beyond the specifications had to be let pass to take it. */
export interface ReadAnswer {
  /** What a Discover told, when it could be read. */
  readonly found?: readonly FoundSecurity[] | undefined;
  /** Stable codes. */
  readonly tolerances: readonly string[];
}

export function readAnswer(step: PlanStep, response: Pick<IncomingResponse, "code" | "payload">): ReadAnswer {
  if (step.kind === "discover") return foundSecurity(response);
  const expected = step.kind === "delete" ? ResponseCode.deleted : ResponseCode.changed;
  // 2.01 for a write that makes an instance (eclipse-leshan/leshan#156).
  return { tolerances: isSuccess(response.code) && response.code !== expected ? ["unexpected-success-code"] : [] };
}

/** The Security instances in the answer to a Discover; undefined when it cannot be read. */
function foundSecurity(response: Pick<IncomingResponse, "payload">): ReadAnswer {
  try {
    const { links, tolerances } = parseLinks(response.payload);
    const found = links.flatMap((link) => {
      const path = findPath(link.target);
      if (path?.objectId !== 0 || path.instanceId === undefined || path.resourceId !== undefined) return [];
      return [{ instanceId: path.instanceId, bootstrapAccount: findAttribute(link, "ssid") === undefined }];
    });
    return { found, tolerances };
  } catch (error) {
    // The device's fault; the session goes on without its numbers.
    if (error instanceof Lwm2mFormatError) return { found: undefined, tolerances: [] };
    throw error;
  }
}
