/** Object 1, Server: how the device behaves towards one server. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { ExecuteOutcome, Instance, ObjectTree } from "../tree/object-tree.ts";
import { refuse } from "../tree/outcome.ts";
import { boolean, integer, text } from "./values.ts";

export const serverObjectId = 1;

export const ServerResource = {
  shortServerId: 0,
  lifetime: 1,
  defaultMinimumPeriod: 2,
  defaultMaximumPeriod: 3,
  disable: 4,
  disableTimeout: 5,
  notificationStoring: 6,
  binding: 7,
  updateTrigger: 8,
  bootstrapTrigger: 9,
  bootstrapOnFailure: 16,
  retryCount: 17,
  retryTimer: 18,
  muteSend: 23,
} as const;

export interface ServerEffects {
  lifetimeChanged(): void;
  bindingChanged(): void;
  updateTrigger(): void;
  disable(milliseconds: number): void;
  /** False: there is no account of a bootstrap server. */
  bootstrapTrigger(): boolean;
}

export interface ServerAccount {
  readonly shortServerId: number;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  /** Default false. */
  readonly sends?: boolean;
}

/** What the tree says about one server, with the defaults of LwM2M Core 1.1 appendix E.2 where it says nothing. */
export interface ServerSettings {
  readonly instanceId: number;
  readonly shortServerId: number;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly defaultMinimumSeconds: number;
  readonly defaultMaximumSeconds: number | undefined;
  readonly storesNotifications: boolean;
  readonly bootstrapOnFailure: boolean;
  readonly retryCount: number;
  readonly retryTimerSeconds: number;
  /** True also where the resource is missing: Send has to be switched on. */
  readonly mutesSend: boolean;
}

const defaultDisableSeconds = 86_400;
const defaultLifetimeSeconds = 86_400;
const defaultRetryCount = 5;
const defaultRetryTimerSeconds = 60;
/** More than any attempt in a sequence needs: 2^(n-1) must stay a sensible delay. */
const mostRetries = 12;

/** While nothing in /1 speaks of the server. */
export const standardServerSettings: ServerSettings = {
  instanceId: 0,
  shortServerId: 1,
  lifetimeSeconds: defaultLifetimeSeconds,
  binding: "U",
  defaultMinimumSeconds: 0,
  defaultMaximumSeconds: undefined,
  storesNotifications: true,
  bootstrapOnFailure: true,
  retryCount: defaultRetryCount,
  retryTimerSeconds: defaultRetryTimerSeconds,
  mutesSend: true,
};

export function addServerObject(
  tree: ObjectTree,
  definition: ObjectDefinition,
  account: ServerAccount | undefined,
  effects: ServerEffects,
): void {
  const known = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 18, 23].filter((id) => definition.resources.has(id));
  tree.add(
    definition,
    {
      supported: new Set(known),
      written: (_instanceId, resourceIds) => {
        if (resourceIds.includes(ServerResource.lifetime)) effects.lifetimeChanged();
        if (resourceIds.includes(ServerResource.binding)) effects.bindingChanged();
      },
      execute: (instanceId, resourceId) => execute(tree, instanceId, resourceId, effects),
    },
    account === undefined ? new Map() : new Map([[0, accountInstance(account)]]),
  );
}

/** Undefined when /1 has no instance for this server. */
export function serverSettings(tree: ObjectTree, shortServerId: number): ServerSettings | undefined {
  for (const instanceId of tree.find(serverObjectId)?.instances.keys() ?? []) {
    const number = (resourceId: number): number | undefined => {
      const value = tree.value(serverObjectId, instanceId, resourceId);
      return value?.type === "integer" || value?.type === "unsigned" ? Number(value.value) : undefined;
    };
    const flag = (resourceId: number): boolean => {
      const value = tree.value(serverObjectId, instanceId, resourceId);
      return value?.type === "boolean" ? value.value : true;
    };
    if (number(ServerResource.shortServerId) !== shortServerId) continue;
    const binding = tree.value(serverObjectId, instanceId, ServerResource.binding);
    return {
      instanceId,
      shortServerId,
      lifetimeSeconds: number(ServerResource.lifetime) ?? defaultLifetimeSeconds,
      binding: binding?.type === "string" ? binding.value : "U",
      defaultMinimumSeconds: number(ServerResource.defaultMinimumPeriod) ?? 0,
      defaultMaximumSeconds: number(ServerResource.defaultMaximumPeriod),
      storesNotifications: flag(ServerResource.notificationStoring),
      bootstrapOnFailure: flag(ServerResource.bootstrapOnFailure),
      retryCount: Math.min(mostRetries, Math.max(1, number(ServerResource.retryCount) ?? defaultRetryCount)),
      retryTimerSeconds: number(ServerResource.retryTimer) ?? defaultRetryTimerSeconds,
      mutesSend: flag(ServerResource.muteSend),
    };
  }
  return undefined;
}

function accountInstance(account: ServerAccount): Instance {
  return new Map([
    [ServerResource.shortServerId, integer(account.shortServerId)],
    [ServerResource.lifetime, integer(account.lifetimeSeconds)],
    [ServerResource.defaultMinimumPeriod, integer(0)],
    [ServerResource.disableTimeout, integer(defaultDisableSeconds)],
    [ServerResource.notificationStoring, boolean(true)],
    [ServerResource.binding, text(account.binding)],
    ...(account.sends === true ? [[ServerResource.muteSend, boolean(false)] as const] : []),
  ]);
}

function execute(tree: ObjectTree, instanceId: number, resourceId: number, effects: ServerEffects): ExecuteOutcome {
  switch (resourceId) {
    case ServerResource.updateTrigger:
      return { ok: true, afterSent: () => effects.updateTrigger() };
    case ServerResource.disable: {
      const timeout = tree.value(serverObjectId, instanceId, ServerResource.disableTimeout);
      const seconds = timeout?.type === "integer" ? Number(timeout.value) : defaultDisableSeconds;
      return { ok: true, afterSent: () => effects.disable(seconds * 1_000) };
    }
    case ServerResource.bootstrapTrigger:
      if (!effects.bootstrapTrigger()) return refuse(ResponseCode.methodNotAllowed, "no account of a bootstrap server");
      return { ok: true };
    default:
      throw new Error(`resource ${resourceId} of object 1 is not executable`);
  }
}
