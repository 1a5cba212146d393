/** From a configuration to the requests of one bootstrap session, in order (LwM2M Core 1.1 §6.1.7). */
import { findPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import type { BootstrapConfig, SecurityInstance, ServerInstance } from "./bootstrap-config.ts";
import { type ConfigField, modeNumbers, securityFields, serverFields } from "./config-fields.ts";

export type PlanStep =
  /** No path: everything but the bootstrap account. */
  | { readonly kind: "delete"; readonly path?: Lwm2mPath }
  /** Asks which Security instances the device has, so that the next ones get free numbers. */
  | { readonly kind: "discover"; readonly path: Lwm2mPath }
  | { readonly kind: "write"; readonly target: WriteTarget; readonly resources: ReadonlyMap<number, ResourceValue> }
  | { readonly kind: "finish" };

export interface WriteTarget {
  readonly objectId: number;
  /** `free`: any number not taken; `bootstrap-account`: the one the device's own bootstrap account has. */
  readonly instanceId: number | "free" | "bootstrap-account";
}

/** What Bootstrap-Discover told of object 0: an instance without Short Server ID is the bootstrap account (§6.1.7.3). */
export interface FoundSecurity {
  readonly instanceId: number;
  readonly bootstrapAccount: boolean;
}

const securityObject = 0;
const serverObject = 1;

export function toPlan(config: BootstrapConfig): readonly PlanStep[] {
  const deletes = config.deletes.map((path): PlanStep => {
    const found = findPath(path);
    return found === undefined ? { kind: "delete" } : { kind: "delete", path: found };
  });
  const security = config.security.map((account): PlanStep => {
    const instanceId = account.instanceId ?? (account.bootstrapServer ? "bootstrap-account" : "free");
    return { kind: "write", target: { objectId: securityObject, instanceId }, resources: securityResources(account) };
  });
  const servers = config.servers.map((server): PlanStep => {
    const instanceId = server.instanceId ?? "free";
    return { kind: "write", target: { objectId: serverObject, instanceId }, resources: resourcesOf(server, serverFields) };
  });
  const asks = config.security.some(({ instanceId }) => instanceId === undefined);
  const discover: readonly PlanStep[] = asks ? [{ kind: "discover", path: { objectId: securityObject } }] : [];
  const numbered = withNumbers(servers, serverObject, [], 0);
  return [...deletes, ...discover, ...security, ...numbered, { kind: "finish" }];
}

/**
 * Where free Security numbers start when the device cannot tell its own: above the 0 and 1 that bootstrap accounts have in
 * practice, so that no write lands on one.
 */
const firstBlindInstanceId = 10;

/** The steps with every Security instance numbered. `found` is undefined when the device did not answer the Discover. */
export function withSecurityNumbers(steps: readonly PlanStep[], found: readonly FoundSecurity[] | undefined): readonly PlanStep[] {
  return withNumbers(steps, securityObject, found ?? [], found === undefined ? firstBlindInstanceId : 0);
}

function withNumbers(
  steps: readonly PlanStep[],
  objectId: number,
  found: readonly FoundSecurity[],
  firstInstanceId: number,
): readonly PlanStep[] {
  const taken = new Set(found.map(({ instanceId }) => instanceId));
  for (const step of steps)
    if (step.kind === "write" && step.target.objectId === objectId && typeof step.target.instanceId === "number")
      taken.add(step.target.instanceId);
  const nextFree = (): number => {
    let candidate = firstInstanceId;
    while (taken.has(candidate)) candidate++;
    taken.add(candidate);
    return candidate;
  };
  const account = found.find(({ bootstrapAccount }) => bootstrapAccount)?.instanceId;
  return steps.map((step) => {
    if (step.kind !== "write" || step.target.objectId !== objectId || typeof step.target.instanceId === "number") return step;
    const instanceId = step.target.instanceId === "bootstrap-account" ? (account ?? nextFree()) : nextFree();
    return { ...step, target: { objectId, instanceId } };
  });
}

/** The values of a write whose instance is numbered. */
export function writeValues(step: PlanStep & { readonly kind: "write" }): {
  readonly path: Lwm2mPath;
  readonly values: readonly PathValue[];
} {
  const { objectId, instanceId } = step.target;
  if (typeof instanceId !== "number") throw new Error(`instance of object ${objectId} is ${instanceId}: a write needs its number`);
  const path = { objectId, instanceId };
  return { path, values: [...step.resources].map(([resourceId, value]) => ({ path: { ...path, resourceId }, value })) };
}

/**
 * Identity, server key and secret key (/0/x/3 to 5) are mandatory in every version of the object, and clients in the field take an
 * instance without them for broken. So what the mode has no use for goes out empty, although later editions advise to leave it out.
 */
const alwaysPresent: readonly number[] = [3, 4, 5];

function securityResources(account: SecurityInstance): ReadonlyMap<number, ResourceValue> {
  const given = resourcesOf(account, securityFields);
  const empty: ResourceValue = { type: "opaque", value: new Uint8Array() };
  const missing = alwaysPresent.filter((id) => !given.has(id)).map((id) => [id, empty] as const);
  return new Map([...given, ...missing].sort(([a], [b]) => a - b));
}

function resourcesOf(instance: SecurityInstance | ServerInstance, fields: readonly ConfigField[]): ReadonlyMap<number, ResourceValue> {
  const given = new Map<string, unknown>(Object.entries(instance));
  const resources = new Map<number, ResourceValue>();
  for (const field of fields) {
    const value = resourceValue(field, given.get(field.key));
    if (value !== undefined) resources.set(field.resourceId, value);
  }
  return resources;
}

function resourceValue({ kind }: ConfigField, value: unknown): ResourceValue | undefined {
  if (typeof value === "boolean") return { type: "boolean", value };
  if (typeof value === "number") return { type: "integer", value: BigInt(value) };
  if (value instanceof Uint8Array) return { type: "opaque", value };
  if (typeof value !== "string") return undefined;
  if (kind !== "mode") return { type: "string", value };
  const mode = Object.entries(modeNumbers).find(([name]) => name === value)?.[1];
  return mode === undefined ? undefined : { type: "integer", value: BigInt(mode) };
}
