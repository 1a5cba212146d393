/** What Bootstrap-Finish checks before the device believes its new configuration (LwM2M Core 1.1 §6.1.7.7). */
import { findCoapUri } from "../coap-uri.ts";
import { accountsIn, type SecurityAccount } from "../objects/security-object.ts";
import { serverSettings } from "../objects/server-object.ts";
import { SecurityMode } from "../security/security-credential.ts";
import type { ObjectTree } from "../tree/object-tree.ts";

/** What is wrong with the credential of an account, if anything. */
export type CredentialCheck = (account: SecurityAccount) => string | undefined;

/** Why the configuration is of no use; undefined: there is a server to register with, and all is in order. */
export function inconsistency(tree: ObjectTree, check: CredentialCheck): string | undefined {
  const accounts = accountsIn(tree);
  if (accounts.filter((account) => account.bootstrapServer).length > 1) return "more than one bootstrap server account";
  const servers = accounts.filter((account) => !account.bootstrapServer);
  if (servers.length === 0) return "no server account in /0";
  const ids = new Set<number>();
  for (const account of servers) {
    const problem = problemOf(tree, account, check);
    if (problem !== undefined) return `/0/${account.instanceId}: ${problem}`;
    if (account.shortServerId !== undefined && ids.has(account.shortServerId))
      return `short server id ${account.shortServerId} stands twice`;
    if (account.shortServerId !== undefined) ids.add(account.shortServerId);
  }
  return undefined;
}

/** The first server account that is complete: the emulator talks to one server. */
export function usableAccount(tree: ObjectTree, check: CredentialCheck): SecurityAccount | undefined {
  return accountsIn(tree).find((account) => !account.bootstrapServer && problemOf(tree, account, check) === undefined);
}

export function bootstrapAccount(tree: ObjectTree): SecurityAccount | undefined {
  return accountsIn(tree).find((account) => account.bootstrapServer);
}

/** The scheme of the URI and the security mode say the same thing twice (LwM2M Core 1.1 appendix E.1, resources 0 and 2). */
export function schemeProblem({ uri, credential: { mode } }: Pick<SecurityAccount, "uri" | "credential">): string | undefined {
  const target = findCoapUri(uri);
  if (target === undefined) return `server URI ${JSON.stringify(uri)} is no coap URI`;
  if (target.secure === (mode !== SecurityMode.noSec)) return undefined;
  return target.secure ? "a coaps URI with security mode 3 (NoSec)" : `a coap URI with security mode ${mode}`;
}

function problemOf(tree: ObjectTree, account: SecurityAccount, check: CredentialCheck): string | undefined {
  if (account.shortServerId === undefined) return "no short server id";
  const problem = schemeProblem(account) ?? check(account);
  if (problem !== undefined) return problem;
  if (serverSettings(tree, account.shortServerId) === undefined) return `no instance of /1 has short server id ${account.shortServerId}`;
  return undefined;
}
