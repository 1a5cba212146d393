/** Whether the clients behind associations are still welcome: asked again for those an earlier process made, as their credential may be gone. */
import { NumberSlot, RowFlag } from "../connections/connection-slab.ts";
import { AlertDescription } from "../constants.ts";
import type { ServerCredentials } from "../credentials-contract.ts";
import type { Associations } from "./associations.ts";
import type { Site } from "./site.ts";

/** Look-ups at once: a store answers many together, and devices that connect ask it, too. */
const lookUpsAtOnce = 16;
const none = -1;

export interface WelcomeCheckParts {
  readonly site: Site;
  readonly associations: Associations;
  readonly credentials: ServerCredentials;
  /** The endpoint was closed: nothing is asked or dropped any more. */
  readonly isOver: () => boolean;
}

/** Drops the associations of clients that are not welcome any more, one after the other; returns how many. Rejects when a look-up does. */
export async function dropUnwelcome(parts: WelcomeCheckParts): Promise<number> {
  const { slab } = parts.site.table;
  const keys: number[] = [];
  for (let row = 0; row < slab.end; row++) {
    if (slab.has(row, RowFlag.established) && !slab.has(row, RowFlag.client)) keys.push(slab.number(row, NumberSlot.key));
  }
  let dropped = 0;
  const work = async (): Promise<void> => {
    for (let key = keys.pop(); key !== undefined && !parts.isOver(); key = keys.pop()) {
      if (await isDropped(parts, key)) dropped += 1;
    }
  };
  await Promise.all(Array.from({ length: lookUpsAtOnce }, work));
  return dropped;
}

async function isDropped({ site, associations, credentials, isOver }: WelcomeCheckParts, key: number): Promise<boolean> {
  const { table } = site;
  const before = table.findByKey(key);
  if (before === none) return false;
  const { identity, serverName } = table.associationOf(before);
  const realm = credentials.realmOf(serverName);
  // Who was anonymous may stay: there is nothing that could have been removed.
  if (identity === undefined || realm?.isStillWelcome === undefined) return false;
  if (await realm.isStillWelcome(identity)) return false;
  const row = table.findByKey(key);
  if (row === none || isOver()) return false;
  associations.close(row, "credential-removed", AlertDescription.accessDenied);
  return true;
}
