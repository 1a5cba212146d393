/** Object 0, Security: the accounts of the device. Only a bootstrap server writes it. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { type Instance, type ObjectTree, single } from "../tree/object-tree.ts";
import { boolean, integer, text } from "./values.ts";

export const securityObjectId = 0;

export const SecurityResource = {
  uri: 0,
  bootstrapServer: 1,
  mode: 2,
  identity: 3,
  serverKey: 4,
  secret: 5,
  shortServerId: 10,
  holdOff: 11,
} as const;

/** /0/x/2: no security. */
const modeNoSec = 3;

export interface SecurityAccount {
  readonly instanceId: number;
  readonly uri: string;
  readonly bootstrapServer: boolean;
  /** Undefined for a bootstrap account. */
  readonly shortServerId: number | undefined;
}

export function addSecurityObject(tree: ObjectTree, definition: ObjectDefinition, accounts: readonly SecurityAccount[]): void {
  const supported = new Set([0, 1, 2, 3, 4, 5, 10, 11, 12]);
  tree.add(definition, { supported }, new Map(accounts.map((account) => [account.instanceId, accountInstance(account)])));
}

/** What the tree holds now: a bootstrap server may have rewritten it. */
export function accountsIn(tree: ObjectTree): readonly SecurityAccount[] {
  const accounts: SecurityAccount[] = [];
  for (const instanceId of tree.find(securityObjectId)?.instances.keys() ?? []) {
    const uri = tree.value(securityObjectId, instanceId, SecurityResource.uri);
    const bootstrap = tree.value(securityObjectId, instanceId, SecurityResource.bootstrapServer);
    const ssid = tree.value(securityObjectId, instanceId, SecurityResource.shortServerId);
    if (uri?.type !== "string") continue;
    accounts.push({
      instanceId,
      uri: uri.value,
      bootstrapServer: bootstrap?.type === "boolean" && bootstrap.value,
      shortServerId: ssid?.type === "integer" ? Number(ssid.value) : undefined,
    });
  }
  return accounts;
}

function accountInstance(account: SecurityAccount): Instance {
  const none = single({ type: "opaque", value: new Uint8Array(0) });
  return new Map([
    [SecurityResource.uri, text(account.uri)],
    [SecurityResource.bootstrapServer, boolean(account.bootstrapServer)],
    [SecurityResource.mode, integer(modeNoSec)],
    [SecurityResource.identity, none],
    [SecurityResource.serverKey, none],
    [SecurityResource.secret, none],
    ...(account.shortServerId === undefined ? [] : [[SecurityResource.shortServerId, integer(account.shortServerId)] as const]),
  ]);
}
