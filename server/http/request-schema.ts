/** Checks of query and body from the schemas of a route; every fault with its JSON pointer (RFC 6901). */
import { findInstant } from "@lwm2m/protocol/platform/instant";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import type { Json } from "../storage/collection.ts";
import type { Problem } from "./problem.ts";
import type { Route, RouteRequest } from "./route.ts";
import { alternativesDetail, knownMembers, withoutAlternatives } from "./schema-alternatives.ts";

export interface CheckedRoute {
  readonly route: Route;
  readonly bodyRequired: boolean;
  /** Values as the handler takes them, or what is wrong. */
  checkQuery(search: string): Checked<RouteRequest["query"]>;
  checkBody(body: Json | undefined): Problem | undefined;
  /** For tests: what in a reply does not fit its own schema. */
  findReplyFault(status: number, body: Json | undefined): string | undefined;
}

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

/** More faults than these help nobody. */
const shownFaults = 20;

export function checkedRoutes(routes: readonly Route[]): readonly CheckedRoute[] {
  return routes.map(routeChecker());
}

/** The schemas of all routes it is given are compiled by the same two compilers, each when its route comes. */
export function routeChecker(): (route: Route) => CheckedRoute {
  // One instance coerces (a query is text), the other takes JSON as it is.
  const forQuery = aCompiler({ coerceTypes: true, useDefaults: true });
  const forBody = aCompiler({});
  return (route) => checkedRoute(route, forQuery, forBody);
}

/** Whether a request without a body is refused: unless the route says so itself, a schema that an empty object fits allows it. */
export function isBodyRequired(route: Route): boolean {
  const { body } = route;
  if (body === undefined) return false;
  if (route.bodyRequired !== undefined) return route.bodyRequired;
  if (body === "binary") return true;
  return body["type"] !== "object" || (Array.isArray(body["required"]) && body["required"].length > 0);
}

function aCompiler(settings: { readonly coerceTypes?: boolean; readonly useDefaults?: boolean }): Ajv2020 {
  const compiler = new Ajv2020({ allErrors: true, verbose: true, strict: true, strictTypes: false, strictRequired: false, ...settings });
  compiler.addFormat("date-time", (text: string) => findInstant(text) !== undefined);
  // Annotations for readers of the OpenAPI document; the handlers check them.
  for (const name of ["binary", "byte", "uri", "int32", "int64"]) compiler.addFormat(name, true);
  return compiler;
}

function checkedRoute(route: Route, forQuery: Ajv2020, forBody: Ajv2020): CheckedRoute {
  const query = forQuery.compile({
    type: "object",
    properties: route.query ?? {},
    additionalProperties: false,
    required: route.requiredQuery ?? [],
  });
  const body = route.body === undefined || route.body === "binary" ? undefined : forBody.compile(route.body);
  const replies = new Map<number, ValidateFunction>();
  const bodyRequired = isBodyRequired(route);
  const repeatable = new Set(Object.entries(route.query ?? {}).flatMap(([name, schema]) => (schema["type"] === "array" ? [name] : [])));
  return {
    route,
    bodyRequired,
    checkQuery: (search) => checkQuery(search, query, repeatable),
    checkBody(value) {
      if (value === undefined) {
        return bodyRequired
          ? { type: "bad-request", detail: "got no body, expected a JSON body (Content-Type: application/json)" }
          : undefined;
      }
      if (body === undefined || body(value)) return undefined;
      return faultsProblem("body", body.errors ?? [], (error) => `got ${typeName(error.data)}`);
    },
    findReplyFault(status, value) {
      const reply = route.replies[status];
      if (reply === undefined) return `status ${status} is not declared`;
      if (reply.schema === undefined) return undefined;
      const check = replies.get(status) ?? forBody.compile(reply.schema);
      replies.set(status, check);
      return check(value) ? undefined : forBody.errorsText(check.errors);
    },
  };
}

function checkQuery(search: string, validate: ValidateFunction, repeatable: ReadonlySet<string>): Checked<RouteRequest["query"]> {
  const values: { [name: string]: string | string[] } = Object.create(null);
  for (const [name, value] of new URLSearchParams(search)) {
    const present = values[name];
    if (repeatable.has(name)) {
      values[name] = Array.isArray(present) ? [...present, value] : [value];
      continue;
    }
    if (present !== undefined) {
      return {
        ok: false,
        problem: {
          type: "bad-request",
          detail: `query parameter ${name} is given twice`,
          errors: [{ pointer: pointerOf(name), detail: "given twice" }],
        },
      };
    }
    values[name] = value;
  }
  if (validate(values)) return { ok: true, value: values };
  return {
    ok: false,
    problem: faultsProblem("query", validate.errors ?? [], (error) => `got ${JSON.stringify(error.data)?.slice(0, 80)}`),
  };
}

function faultsProblem(where: "query" | "body", all: readonly ErrorObject[], got: (error: ErrorObject) => string): Problem {
  const faults = withoutAlternatives(all);
  const errors = faults.slice(0, shownFaults).map((fault) => ({ pointer: pointerAt(fault), detail: faultDetail(fault, got) }));
  const first = errors[0];
  const place = where === "query" ? `query parameter ${first?.pointer.slice(1)}` : first?.pointer || "the body";
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see errors)` : "";
  return { type: "bad-request", detail: `${place}: ${first?.detail}${more}`, errors };
}

function pointerAt(fault: ErrorObject): string {
  const params: { readonly [name: string]: unknown } = fault.params;
  const member = params["missingProperty"] ?? params["additionalProperty"] ?? params["unevaluatedProperty"];
  return typeof member === "string" ? fault.instancePath + pointerOf(member) : fault.instancePath;
}

function faultDetail(fault: ErrorObject, got: (error: ErrorObject) => string): string {
  switch (fault.keyword) {
    case "required":
      return "is missing";
    case "additionalProperties":
    case "unevaluatedProperties":
      return `is not known here${knownMembers(fault)}`;
    case "oneOf":
      return alternativesDetail(fault);
    case "pattern":
      if (typeof fault.parentSchema?.["description"] !== "string") return `${got(fault)}, ${fault.message}`;
      return `${got(fault)}, ${fault.message} (${fault.parentSchema["description"]})`;
    case "enum":
      return `${got(fault)}, expected one of ${JSON.stringify(fault.params["allowedValues"])}`;
    case "const":
      return `${got(fault)}, expected ${JSON.stringify(fault.params["allowedValue"])}`;
    case "minItems":
      return `${got(fault)}, expected at least ${JSON.stringify(fault.params["limit"])} items`;
    case "format":
      if (fault.params["format"] === "date-time") return `${got(fault)}, expected an RFC 3339 date and time such as 2026-01-31T12:00:00Z`;
      return `${got(fault)}, ${fault.message}`;
    default:
      return `${got(fault)}, ${fault.message ?? "does not fit"}`;
  }
}

function pointerOf(name: string): string {
  return `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** A body may hold secrets: its faults name the kind of a value, never the value. */
function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
}
