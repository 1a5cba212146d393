/** What PUT and PATCH make of the wishes of a device: checked against its model before anything is stored. Pure. */
import type { ResourceDefinition } from "@lwm2m/object-registry/definition";
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { formatPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { ProblemType } from "../http/problem.ts";
import { type PlanTarget, unseenTarget } from "../operations/operation-plan.ts";
import { escapePointer } from "../operations/operation-value.ts";
import { planOperation } from "../operations/plan-operation.ts";
import type { DeviceModel } from "../registration/device-model.ts";
import { isSecretPath } from "../registration/secret-paths.ts";
import type { Json } from "../storage/collection.ts";
import { isJsonObject } from "../storage/json-object.ts";
import { type ConflictPolicy, desiredLimits, isSameValue, type Wish } from "./desired.ts";

export interface DesiredEdit {
  /** `replace`: what is not named is not wished any more. `merge`: RFC 7396, null removes. */
  readonly mode: "replace" | "merge";
  /** Absent: as it was, or with `replace` as the settings say. Null: as the settings say. */
  readonly policy?: ConflictPolicy | null;
  /** By path or name. */
  readonly values?: { readonly [text: string]: Json };
}

export interface EditRefusal {
  readonly type: ProblemType;
  readonly detail: string;
  readonly pointer: string;
}

/** Wishes with their values, those of secret ones too. */
export interface Wished {
  readonly wishes: { readonly [path: string]: Wish };
  readonly secrets: { readonly [path: string]: Json };
}

export type EditOutcome =
  | { readonly ok: true; readonly wished: Wished; readonly changed: boolean }
  | { readonly ok: false; readonly refusal: EditRefusal };

export interface EditContext {
  readonly model: DeviceModel;
  /** Undefined: the device never registered. */
  readonly target: PlanTarget | undefined;
  readonly actor: string;
  readonly traceId: string;
  readonly nowMs: number;
}

interface Statement {
  readonly path: Lwm2mPath;
  readonly pointer: string;
  /** Null: not wished any more. */
  readonly value: Json;
}

type Stated = { readonly ok: true; readonly statements: readonly Statement[] } | { readonly ok: false; readonly refusal: EditRefusal };

export function editWishes(before: Wished, { mode, values = {} }: DesiredEdit, context: EditContext): EditOutcome {
  const stated = statementsOf(values, context.model);
  if (!stated.ok) return stated;
  const wishes: { [path: string]: Wish } = mode === "replace" ? {} : { ...before.wishes };
  const secrets: { [path: string]: Json } = mode === "replace" ? {} : { ...before.secrets };
  for (const { path, pointer, value } of stated.statements) {
    const key = formatPath(path);
    const former = before.wishes[key];
    const formerValue = former?.secret === true ? before.secrets[key] : former?.value;
    delete wishes[key];
    delete secrets[key];
    if (value === null) continue;
    const read = readWish(path, mode === "merge" ? merged(formerValue, value) : value, pointer, context);
    if ("refusal" in read) return { ok: false, refusal: read.refusal };
    const wish = former !== undefined && isStill(former, formerValue, read) ? former : newWish(read, context);
    wishes[key] = wish;
    if (read.secret) secrets[key] = read.value;
  }
  const count = Object.keys(wishes).length;
  if (count > desiredLimits.maxWishes) {
    const detail = `${count} values, ${desiredLimits.maxWishes} are the most for one device`;
    return { ok: false, refusal: { type: "bad-request", detail, pointer: "/values" } };
  }
  const names = Object.keys(before.wishes);
  const changed = names.length !== count || names.some((path) => wishes[path] !== before.wishes[path]);
  return { ok: true, wished: { wishes, secrets }, changed };
}

function statementsOf(values: { readonly [text: string]: Json }, model: DeviceModel): Stated {
  const statements: Statement[] = [];
  for (const [text, value] of Object.entries(values)) {
    const pointer = `/values/${escapePointer(text)}`;
    const refuse = (type: ProblemType, detail: string): Stated => ({ ok: false, refusal: { type, detail, pointer } });
    const path = model.names.find(text);
    if (path === undefined) return refuse("path-not-in-model", model.faultOf(text));
    if (levelOf(path) === "resourceInstance") {
      const resource = formatPath(path).replace(/\/\d+$/, "");
      return refuse("operation-not-allowed", `${formatPath(path)}: wish for ${resource}, with an object of values by resource instance id`);
    }
    if (levelOf(path) !== "resource")
      return refuse("operation-not-allowed", `${formatPath(path)} is an ${levelOf(path)}; what is wished is a resource`);
    if (statements.some((other) => formatPath(other.path) === formatPath(path)))
      return refuse("bad-request", `${formatPath(path)} is named twice`);
    statements.push({ path, pointer, value });
  }
  return { ok: true, statements };
}

interface ReadWish {
  readonly value: Json;
  readonly type: string | null;
  readonly secret: boolean;
}

/** As a write of it would be checked, in the form in which the device's reports come. */
function readWish(
  path: Lwm2mPath,
  value: Json,
  pointer: string,
  { model, target }: EditContext,
): ReadWish | { readonly refusal: EditRefusal } {
  const planned = planOperation({ kind: "write", path: formatPath(path), value }, target ?? unseenTarget, model);
  if (!planned.ok) {
    const { refusal } = planned;
    const inner = refusal.reason === "value-type-mismatch" ? refusal.pointer.replace(/^\/value/, "") : "";
    // The refusal of a write names the path, or the member of its body.
    const detail = refusal.detail.replace(/^\/[^:]*: /, "");
    return { refusal: { type: refusal.reason, detail: `${formatPath(path)}: ${detail}`, pointer: pointer + inner } };
  }
  if (JSON.stringify(value).length > desiredLimits.maxValueCharacters) {
    const detail = `${formatPath(path)}: longer than ${desiredLimits.maxValueCharacters} characters; a file is no setting`;
    return { refusal: { type: "value-type-mismatch", detail, pointer } };
  }
  const definition = resourceOf(path, model);
  return { value: canonical(planned.plan.written, value), type: definition?.type ?? null, secret: isSecretPath(path, model) };
}

/** Twice the same wish is one; one the device refused, or that was left as a conflict, begins anew when it is said again. */
function isStill({ type, state }: Wish, formerValue: Json | undefined, { value }: ReadWish): boolean {
  if (formerValue === undefined || !isSameValue(type, formerValue, value)) return false;
  return state.kind === "held" || state.kind === "pending";
}

function newWish({ value, type, secret }: ReadWish, { actor, traceId, nowMs }: EditContext): Wish {
  const state = { kind: "pending", since: nowMs, isTold: false } as const;
  return { type, value: secret ? null : value, secret, changedAt: nowMs, source: actor, traceId, state, failures: 0, rewrites: [] };
}

function canonical(written: readonly PathValue[], value: Json): Json {
  if (!isJsonObject(value)) {
    const [only] = written;
    return only?.value === undefined ? value : toJsonValue(only.value);
  }
  const instances = written.flatMap(({ path, value: one }) =>
    path.resourceInstanceId === undefined || one === undefined ? [] : [[String(path.resourceInstanceId), toJsonValue(one)] as const],
  );
  return Object.fromEntries(instances);
}

/** RFC 7396 §2. */
function merged(before: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const result: { [key: string]: Json } = isJsonObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function resourceOf({ objectId, resourceId }: Lwm2mPath, { definitionOf }: DeviceModel): ResourceDefinition | undefined {
  return resourceId === undefined ? undefined : definitionOf(objectId)?.resources.get(resourceId);
}
