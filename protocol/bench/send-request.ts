/** What a device sends, as the bytes of one datagram. */
import { MessageWriter } from "../coap/message-writer.ts";
import { measurementPack } from "./measurement-pack.ts";

const noToken = new Uint8Array(8);
const encoder = new TextEncoder();
const option = { uriPath: 11, contentFormat: 12, uriQuery: 15 } as const;
const confirmable = 0;
const post = 0x02;
const senmlCbor = 112;
const linkFormat = 40;

/** POST /dp with ten measurements in SenML CBOR. */
export function sendRequest(): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(confirmable, post, 0, noToken);
  writer.opaque(option.uriPath, encoder.encode("dp"));
  writer.uint(option.contentFormat, senmlCbor);
  writer.payload(measurementPack(10));
  return Uint8Array.from(writer.finish());
}

/** POST /rd of `bench-00000`, the object and instance of `sendRequest` among its links. */
export function registerRequest(): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(confirmable, post, 0, noToken);
  writer.opaque(option.uriPath, encoder.encode("rd"));
  writer.uint(option.contentFormat, linkFormat);
  for (const argument of ["lwm2m=1.1", "ep=bench-00000", "lt=86400", "b=U"]) writer.opaque(option.uriQuery, encoder.encode(argument));
  writer.payload(encoder.encode('</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>,</3303/100>'));
  return Uint8Array.from(writer.finish());
}
