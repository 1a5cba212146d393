/** CoAP Content-Format numbers LwM2M uses (IANA CoAP Content-Formats; LwM2M Core 1.2 §7.4). */
export const ContentFormat = {
  text: 0,
  linkFormat: 40,
  opaque: 42,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  senmlEtchJson: 320,
  senmlEtchCbor: 322,
  tlv: 11542,
  lwm2mJson: 11543,
  lwm2mCbor: 11544,
} as const;
