/** What both hellos together settle about the records to come, beside the suite. */

import type { Suite } from "../crypto/suites.ts";
import type { ConnectionKeys, HandshakeSettings, NegotiatedIds } from "../handshake-contract.ts";
import type { ClientHello, HelloExtensions } from "../messages.ts";

export interface Terms {
  readonly suite: Suite;
  readonly extendedMasterSecret: boolean;
  readonly encryptThenMac: boolean;
  readonly connectionIds: NegotiatedIds | undefined;
  /** Bytes, as agreed by max_fragment_length. */
  readonly maxFragmentLength: number | undefined;
  readonly largestSendBytes: number;
  readonly largestReceiveBytes: number;
}

/** Of a hello that is being put together. */
export type SaidExtensions = { -readonly [Name in keyof HelloExtensions]: HelloExtensions[Name] };

/** RFC 5246 §6.2.1. */
export const largestRecordBytes = 16_384;

/** RFC 6066 §4: code 1 is 512 bytes, each next one twice as much. */
export function fragmentLengthOf(code: number): number {
  return 256 << code;
}

export function fragmentLengthCode(bytes: number): number {
  return Math.log2(bytes) - 8;
}

/** The server's side: it takes what was offered and is known here. */
export function serverTerms(hello: ClientHello, settings: HandshakeSettings, ownId: Uint8Array | undefined, suite: Suite): Terms {
  const offered = hello.extensions;
  // RFC 8449 §5: with both offered, max_fragment_length is as if it were not there.
  const code = offered.recordSizeLimit === undefined ? offered.maxFragmentLength : undefined;
  const maxFragmentLength = code === undefined ? undefined : fragmentLengthOf(code);
  const ownLimit = offered.recordSizeLimit === undefined ? undefined : (settings.recordSizeLimit ?? largestRecordBytes);
  return {
    suite,
    extendedMasterSecret: offered.extendedMasterSecret === true,
    // RFC 7366 §3: only CBC suites; encrypting first is always taken where it is offered.
    encryptThenMac: offered.encryptThenMac === true && !suite.aead,
    connectionIds: idsOf(offered, ownId),
    maxFragmentLength,
    largestSendBytes: Math.min(maxFragmentLength ?? largestRecordBytes, offered.recordSizeLimit ?? largestRecordBytes),
    largestReceiveBytes: maxFragmentLength ?? ownLimit ?? largestRecordBytes,
  };
}

/** The ServerHello extensions that say those terms; nothing that was not offered (RFC 5246 §7.4.1.4). */
export function sayTerms(hello: ClientHello, terms: Terms, said: SaidExtensions): void {
  const { connectionIds, maxFragmentLength } = terms;
  if (terms.extendedMasterSecret) said.extendedMasterSecret = true;
  if (terms.encryptThenMac) said.encryptThenMac = true;
  if (maxFragmentLength !== undefined) said.maxFragmentLength = fragmentLengthCode(maxFragmentLength);
  if (hello.extensions.recordSizeLimit !== undefined) said.recordSizeLimit = terms.largestReceiveBytes;
  if (connectionIds === undefined) return;
  if (connectionIds.draft) said.connectionIdDraft = connectionIds.own;
  else said.connectionId = connectionIds.own;
}

/** RFC 9146 §3; the code point of the drafts only from clients that do not know the final one. */
function idsOf(offered: HelloExtensions, own: Uint8Array | undefined): NegotiatedIds | undefined {
  if (own === undefined) return undefined;
  if (offered.connectionId !== undefined) return { peer: offered.connectionId, own, draft: false };
  if (offered.connectionIdDraft !== undefined) return { peer: offered.connectionIdDraft, own, draft: true };
  return undefined;
}

/** The seam to the record layer: the terms with the keys (RFC 5246 §6.3). */
export function connectionKeys(
  terms: Terms,
  material: Omit<ConnectionKeys, "cipherSuite" | "encryptThenMac" | "connectionIds" | "largestSendBytes" | "largestReceiveBytes">,
): ConnectionKeys {
  return {
    cipherSuite: terms.suite.id,
    encryptThenMac: terms.encryptThenMac,
    clientMacKey: material.clientMacKey,
    serverMacKey: material.serverMacKey,
    clientKey: material.clientKey,
    serverKey: material.serverKey,
    clientIv: material.clientIv,
    serverIv: material.serverIv,
    connectionIds: terms.connectionIds,
    largestSendBytes: terms.largestSendBytes,
    largestReceiveBytes: terms.largestReceiveBytes,
  };
}
