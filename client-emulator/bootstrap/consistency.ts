/** What Bootstrap-Finish checks before the device believes its new configuration (LwM2M Core 1.1 §6.1.7.7). */
import { findCoapUri } from "../coap-uri.ts";
import { accountsIn, type SecurityAccount } from "../objects/security-object.ts";
import { serverSettings } from "../objects/server-object.ts";
import type { ObjectTree } from "../tree/object-tree.ts";

/** Why the configuration is of no use; undefined: there is a server to register with, and all is in order. */
export function inconsistency(tree: ObjectTree): string | undefined {
  const accounts = accountsIn(tree);
  if (accounts.filter((account) => account.bootstrapServer).length > 1) return "more than one bootstrap server account";
  const servers = accounts.filter((account) => !account.bootstrapServer);
  if (servers.length === 0) return "no server account in /0";
  const ids = new Set<number>();
  for (const account of servers) {
    const problem = problemOf(tree, account);
    if (problem !== undefined) return `/0/${account.instanceId}: ${problem}`;
    if (account.shortServerId !== undefined && ids.has(account.shortServerId))
      return `short server id ${account.shortServerId} stands twice`;
    if (account.shortServerId !== undefined) ids.add(account.shortServerId);
  }
  return undefined;
}

/** The first server account that is complete; with one transport there is one server to talk to. */
export function usableAccount(tree: ObjectTree): SecurityAccount | undefined {
  return accountsIn(tree).find((account) => !account.bootstrapServer && problemOf(tree, account) === undefined);
}

export function bootstrapAccount(tree: ObjectTree): SecurityAccount | undefined {
  return accountsIn(tree).find((account) => account.bootstrapServer);
}

function problemOf(tree: ObjectTree, account: SecurityAccount): string | undefined {
  if (account.shortServerId === undefined) return "no short server id";
  if (findCoapUri(account.uri) === undefined) return `server URI ${JSON.stringify(account.uri)} is no coap URI`;
  if (serverSettings(tree, account.shortServerId) === undefined) return `no instance of /1 has short server id ${account.shortServerId}`;
  return undefined;
}
