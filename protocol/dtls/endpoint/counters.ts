/** What happened in a DTLS endpoint: the whole set of names, so that a metric has a bounded number of series. */
import type { HandshakeFailure } from "../handshake-contract.ts";

const names = [
  "datagramsIn",
  "datagramsOut",
  "recordsIn",
  "recordsOut",
  "malformedRecords",
  "unknownRecords",
  "unknownConnectionIds",
  "replayedRecords",
  "forgedRecords",
  "oversizedRecords",
  "earlyRecords",
  "earlyRecordsDropped",
  "plainAlertsIgnored",
  "renegotiationsRefused",
  "helloVerifyRequests",
  "hellosDropped",
  "hellosRefusedRate",
  "handshakesStarted",
  "handshakesRefusedRate",
  "handshakesRefusedBusy",
  "handshakesRefusedFull",
  "handshakeWorkDelayed",
  "handshakeWorkDropped",
  "lookUpsRefused",
  "connected",
  "resumed",
  "restored",
  "replaced",
  "addressChanges",
  "closedByPeer",
  "closedByAlert",
  "closedLocally",
  "evicted",
  "aged",
  "credentialRemoved",
  "sendWithoutAssociation",
  "sendTooLarge",
  "sendOverBudget",
  "sendWithoutLease",
  "journalFailures",
  "journalDiscarded",
  "bugs",
] as const;
export type CounterName = (typeof names)[number];

const failures = [
  "timeout",
  "alert-received",
  "bad-message",
  "unexpected-message",
  "no-common-parameters",
  "unknown-name",
  "psk-mismatch",
  "bad-signature",
  "certificate-refused",
  "no-certificate",
  "too-large",
  "lookup-failed",
  "cancelled",
] as const satisfies readonly HandshakeFailure[];

/** `failed-…` counts handshakes by why they failed. */
export type DtlsCounters = { [name in CounterName | `failed-${HandshakeFailure}`]: number };

export function createDtlsCounters(): DtlsCounters {
  const all = [...names, ...failures.map((failure) => `failed-${failure}` as const)];
  // Checked edge: the keys are those of the type, by the two lists it is made of.
  return Object.fromEntries(all.map((name) => [name, 0])) as DtlsCounters;
}
