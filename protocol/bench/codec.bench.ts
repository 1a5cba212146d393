/** Nanoseconds to decode and encode a message, against npm `coap-packet` (listed as `npm-coap`, whose codec it is), and each LwM2M format. */
import coapPacket from "coap-packet";
import { MessageView } from "../coap/message-view.ts";
import { MessageWriter } from "../coap/message-writer.ts";
import { type BenchOptions, type Figure, nanosecondsOf, rounded } from "./figure.ts";
import { formatFigures } from "./lwm2m-formats.ts";

/** The rest of the time goes to the LwM2M formats. */
const messageShare = 0.3;

interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
  encode(writer: MessageWriter): Uint8Array;
}

const encoder = new TextEncoder();
const token = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const links = new Uint8Array(150).fill(0x61);
const path = ["3", "0", "9"].map((segment) => encoder.encode(segment));
const registration = ["lwm2m=1.1", "ep=urn:imei:123456789012345", "lt=86400", "b=U"].map((argument) => encoder.encode(argument));
const rd = encoder.encode("rd");
const etag = Uint8Array.of(0xff, 0xfe, 0x01);
const block = new Uint8Array(1_024).fill(0x41);

const samples: readonly Sample[] = [
  sampleOf("GET /3/0/9", (writer) => {
    writer.begin(0, 0x01, 0x1234, token);
    for (const segment of path) writer.opaque(11, segment);
    writer.uint(17, 11_542);
    return writer.finish();
  }),
  sampleOf("POST /rd 150 B", (writer) => {
    writer.begin(0, 0x02, 0x1234, token);
    writer.opaque(11, rd);
    writer.uint(12, 40);
    for (const argument of registration) writer.opaque(15, argument);
    writer.payload(links);
    return writer.finish();
  }),
  sampleOf("2.05 notification, Block2, 1024 B", (writer) => {
    writer.begin(0, 0x45, 0x1234, token);
    writer.opaque(4, etag);
    writer.uint(6, 4_711);
    writer.uint(12, 112);
    writer.uint(23, 0x0e);
    writer.payload(block);
    return writer.finish();
  }),
];

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const messageSeconds = options.seconds * messageShare;
  const pieceSeconds = messageSeconds / (samples.length * 2);
  return [...samples.flatMap((sample) => measure(sample, pieceSeconds)), ...formatFigures(options.seconds - messageSeconds)];
}

function measure(sample: Sample, seconds: number): Figure[] {
  const view = new MessageView();
  const writer = new MessageWriter();
  const packet = coapPacket.parse(sample.bytes);
  const decoding = nanosecondsOf(seconds, [() => view.decode(sample.bytes), () => coapPacket.parse(sample.bytes)]);
  const encoding = nanosecondsOf(seconds, [() => sample.encode(writer), () => coapPacket.generate(packet, sample.bytes.length)]);
  return [figureOf(`decode ${sample.name}`, decoding), figureOf(`encode ${sample.name}`, encoding)];
}

function figureOf(figure: string, [oursNs = Number.NaN, theirsNs = Number.NaN]: readonly number[]): Figure {
  return { bench: "codec", figure, value: rounded(oursNs), unit: "ns", against: "npm-coap", ratio: rounded(theirsNs / oursNs) };
}

function sampleOf(name: string, encode: Sample["encode"]): Sample {
  return { name, bytes: Buffer.from(encode(new MessageWriter())), encode };
}
