/**
 * Which back end hashes and protects records: one for the process, chosen by its main before the first endpoint opens. All back ends give
 * the same bytes, so a choice that comes late changes what things cost and nothing else.
 */
import type { Digests } from "./digests.ts";
import { nodeDigests } from "./node-digests.ts";
import { type NodeRecordProtectionNeeds, nodeRecordProtection } from "./node-record-protection.ts";
import type { RecordProtection } from "./record-protection.ts";

export interface CryptoBackEnd {
  readonly name: "node" | "ffi";
  readonly digests: Digests;
  /** What `nodeRecordProtection` needs: every back end leaves some records to it. */
  recordProtection(needs: NodeRecordProtectionNeeds): RecordProtection;
}

export const nodeBackEnd: CryptoBackEnd = { name: "node", digests: nodeDigests, recordProtection: nodeRecordProtection };

let chosen = nodeBackEnd;

export function chooseBackEnd(backEnd: CryptoBackEnd): void {
  chosen = backEnd;
}

export function backEndName(): CryptoBackEnd["name"] {
  return chosen.name;
}

export function digests(): Digests {
  return chosen.digests;
}

export function recordProtection(needs: NodeRecordProtectionNeeds): RecordProtection {
  return chosen.recordProtection(needs);
}
