/** Datagrams of DTLS changed in the ways that reach furthest: fields of records and of handshake fragments, splices, cuts, single bits. */
import { ContentType, HandshakeType } from "../dtls/constants.ts";
import { recordHeaderBytes } from "../dtls/wire/record-header.ts";
import type { SeededRandom } from "../testing/seeded-random.ts";

const types = [...Object.values(ContentType), 0, 24, 26, 255];
const messageTypes = [...Object.values(HandshakeType), 255];
const numbers = [0, 1, 2, 255, 256, 0x7fff, 0x8000, 0xffff];
/** Type, version, epoch, sequence number, length of a plain record; what it carries begins with the header of a fragment. */
const fieldsOfTwoBytes = [1, 3, 5, 9, 11, recordHeaderBytes + 2, recordHeaderBytes + 4, recordHeaderBytes + 7, recordHeaderBytes + 10];
const mostChanges = 4;
const mostRecords = 4;

/** Never longer than a few of the originals; possibly the original. */
export function mutated(original: Uint8Array, other: Uint8Array, random: SeededRandom): Uint8Array {
  const shape = random.fraction();
  if (shape < 0.03) return random.bytes(random.integer(100));
  if (shape < 0.08) return Uint8Array.of(...original.subarray(0, random.integer(original.length + 1)), ...other);
  if (shape < 0.12) return Buffer.concat(Array.from({ length: 1 + random.integer(mostRecords) }, () => random.pick([original, other])));
  const bytes = Uint8Array.from(original);
  for (let changes = 1 + random.integer(mostChanges); changes > 0; changes--) change(bytes, random);
  return shape < 0.3 ? bytes.subarray(0, random.integer(bytes.length + 1)) : bytes;
}

function change(bytes: Uint8Array, random: SeededRandom): void {
  const at = random.integer(bytes.length);
  switch (random.integer(7)) {
    case 0:
      bytes[0] = random.pick(types);
      return;
    case 1:
      bytes[recordHeaderBytes] = random.pick(messageTypes);
      return;
    case 2: {
      const field = random.pick(fieldsOfTwoBytes);
      const value = random.pick(numbers);
      bytes[field] = value >>> 8;
      bytes[field + 1] = value;
      return;
    }
    case 3:
      bytes[at] = random.integer(256);
      return;
    case 4:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
      return;
    case 5:
      bytes[at] = (bytes[at] ?? 0) + random.pick([-1, 1]);
      return;
    default:
      bytes.fill(random.integer(256), at, at + random.integer(8));
  }
}
