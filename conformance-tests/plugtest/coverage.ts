/**
 * Which case of the ETSI CoAP plugtest runs with which peer in which role, and why not where not. The list has 59 cases; the seven
 * of DTLS (TD_COAP_DTLS_01 to _07) are about the handshake and stand with the DTLS suites. There is no OBS_03 and no CORE_24 to _30.
 */

const numbered = (group: string, numbers: readonly number[]): string[] =>
  numbers.map((number) => `TD_COAP_${group}_${String(number).padStart(2, "0")}`);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

export const plugtestIds: readonly string[] = [
  ...numbered("CORE", [...upTo(23), 31]),
  ...numbered("LINK", upTo(9)),
  ...numbered("BLOCK", upTo(6)),
  ...numbered("OBS", [1, 2, ...upTo(14).slice(3)]),
];

/** Who asks and who answers. */
export const pairings = ["libcoap asks us", "we ask libcoap", "aiocoap asks us", "we ask aiocoap"] as const;
export type PairingName = (typeof pairings)[number];

const noToken = "our client never sends an empty token: on plain UDP 8 random bytes are what an answer is known by (RFC 7252 §5.3.1)";
const noPost = "libcoap's example server answers 4.05 to every POST";
const noPreconditions = "libcoap's example server gives no ETag to small bodies and looks at neither If-Match nor If-None-Match";
const noSuchLinks = (what: string): string => `libcoap's example server has no links with ${what}, and none can be added`;

type Reasons = { readonly [id: string]: string };

/** What is not here runs. */
const impossible: { readonly [pairing in PairingName]: Reasons } = {
  "libcoap asks us": {
    TD_COAP_CORE_12: "libcoap's client counts its tokens up from one byte; it cannot be told to send none",
  },
  "we ask libcoap": {
    TD_COAP_CORE_04: noPost,
    TD_COAP_CORE_08: noPost,
    TD_COAP_CORE_12: noToken,
    TD_COAP_CORE_18: noPost,
    TD_COAP_CORE_19: noPost,
    TD_COAP_CORE_20: "libcoap's example server has every resource in one format and does not look at Accept",
    TD_COAP_CORE_21: noPreconditions,
    TD_COAP_CORE_22: noPreconditions,
    TD_COAP_CORE_23: noPreconditions,
    TD_COAP_LINK_04: noSuchLinks("two rt values"),
    TD_COAP_LINK_06: noSuchLinks("a sz"),
    TD_COAP_LINK_09: noSuchLinks("ct=40"),
    TD_COAP_BLOCK_04: noPost,
    TD_COAP_BLOCK_05: noPost,
    TD_COAP_OBS_05: "libcoap's example server takes 93 s to give up, and no option of it changes that",
    TD_COAP_OBS_08: "libcoap's example server goes on with the new Content-Format instead of ending the relation",
  },
  "aiocoap asks us": {},
  "we ask aiocoap": {
    TD_COAP_CORE_12: noToken,
    TD_COAP_LINK_03: "aiocoap's filter rt=* selects links without an rt too, as if theirs were empty",
  },
};

/** Undefined: it runs. */
export function reasonAgainst(id: string, pairing: PairingName): string | undefined {
  return impossible[pairing][id];
}

/** Ids in the table that are none. */
export function unknownIds(): string[] {
  return pairings.flatMap((pairing) => Object.keys(impossible[pairing])).filter((id) => !plugtestIds.includes(id));
}
