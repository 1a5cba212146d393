/** Object 0, Security: the accounts of the device. Only a bootstrap server writes it. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { noSecurity, type SecurityCredential } from "../security/security-credential.ts";
import { type Instance, type ObjectTree, type ResourceContent, several, single } from "../tree/object-tree.ts";
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
  matchingType: 13,
  serverName: 14,
  certificateUsage: 15,
  cipherSuites: 16,
} as const;

export interface SecurityAccount {
  readonly instanceId: number;
  readonly uri: string;
  readonly bootstrapServer: boolean;
  /** Undefined for a bootstrap account. */
  readonly shortServerId: number | undefined;
  readonly credential: SecurityCredential;
}

export function addSecurityObject(tree: ObjectTree, definition: ObjectDefinition, accounts: readonly SecurityAccount[]): void {
  // Object 0 of LwM2M 1.0 ends before Matching Type.
  const supported = new Set([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16].filter((id) => definition.resources.has(id)));
  const contents = accounts.map((account) => [account.instanceId, accountInstance(account, supported)] as const);
  tree.add(definition, { supported }, new Map(contents));
}

/** What the tree holds now: a bootstrap server may have rewritten it. */
export function accountsIn(tree: ObjectTree): readonly SecurityAccount[] {
  const accounts: SecurityAccount[] = [];
  for (const instanceId of tree.find(securityObjectId)?.instances.keys() ?? []) {
    const uri = tree.value(securityObjectId, instanceId, SecurityResource.uri);
    const bootstrap = tree.value(securityObjectId, instanceId, SecurityResource.bootstrapServer);
    if (uri?.type !== "string") continue;
    accounts.push({
      instanceId,
      uri: uri.value,
      bootstrapServer: bootstrap?.type === "boolean" && bootstrap.value,
      shortServerId: numberIn(tree, instanceId, SecurityResource.shortServerId),
      credential: credentialIn(tree, instanceId),
    });
  }
  return accounts;
}

export function accountInstance(account: SecurityAccount, supported: ReadonlySet<number>): Instance {
  const { credential, shortServerId } = account;
  const { matchingType, serverName, certificateUsage, cipherSuites = [] } = credential;
  const resources: (readonly [number, ResourceContent | undefined])[] = [
    [SecurityResource.uri, text(account.uri)],
    [SecurityResource.bootstrapServer, boolean(account.bootstrapServer)],
    [SecurityResource.mode, integer(credential.mode)],
    [SecurityResource.identity, opaque(credential.identity)],
    [SecurityResource.serverKey, opaque(credential.serverKey)],
    [SecurityResource.secret, opaque(credential.secret)],
    [SecurityResource.shortServerId, shortServerId === undefined ? undefined : integer(shortServerId)],
    [SecurityResource.matchingType, matchingType === undefined ? undefined : unsigned(matchingType)],
    [SecurityResource.serverName, serverName === undefined ? undefined : text(serverName)],
    [SecurityResource.certificateUsage, certificateUsage === undefined ? undefined : unsigned(certificateUsage)],
    [SecurityResource.cipherSuites, cipherSuites.length === 0 ? undefined : several(cipherSuites.map(unsignedValue))],
  ];
  return new Map(resources.flatMap(([id, content]) => (content === undefined || !supported.has(id) ? [] : [[id, content] as const])));
}

function credentialIn(tree: ObjectTree, instanceId: number): SecurityCredential {
  const bytes = (resourceId: number): Uint8Array => {
    const value = tree.value(securityObjectId, instanceId, resourceId);
    return value?.type === "opaque" ? value.value : new Uint8Array(0);
  };
  const serverName = tree.value(securityObjectId, instanceId, SecurityResource.serverName);
  const suites = tree.instance(securityObjectId, instanceId)?.get(SecurityResource.cipherSuites);
  return {
    mode: numberIn(tree, instanceId, SecurityResource.mode) ?? noSecurity.mode,
    identity: bytes(SecurityResource.identity),
    serverKey: bytes(SecurityResource.serverKey),
    secret: bytes(SecurityResource.secret),
    matchingType: numberIn(tree, instanceId, SecurityResource.matchingType),
    serverName: serverName?.type === "string" && serverName.value !== "" ? serverName.value : undefined,
    certificateUsage: numberIn(tree, instanceId, SecurityResource.certificateUsage),
    cipherSuites: suites?.multiple === true ? [...suites.values.values()].flatMap((value) => numberOf(value) ?? []) : [],
  };
}

function numberIn(tree: ObjectTree, instanceId: number, resourceId: number): number | undefined {
  return numberOf(tree.value(securityObjectId, instanceId, resourceId));
}

function numberOf(value: ReturnType<ObjectTree["value"]>): number | undefined {
  return value?.type === "integer" || value?.type === "unsigned" ? Number(value.value) : undefined;
}

function unsignedValue(value: number) {
  return { type: "unsigned", value: BigInt(value) } as const;
}

const unsigned = (value: number): ResourceContent => single(unsignedValue(value));
const opaque = (value: Uint8Array): ResourceContent => single({ type: "opaque", value });
