/** The value of Block1 and Block2: number, more flag, size exponent (RFC 7959 §2.2). */

export interface Block {
  /** 0–1,048,575. */
  readonly number: number;
  readonly more: boolean;
  /** 16–1,024. */
  readonly sizeBytes: number;
}

/** RFC 7959 §2.2: NUM has 20 bits. */
export const highestBlockNumber = 0xfffff;
export const smallestBlockBytes = 16;
export const largestBlockBytes = 1_024;
const reservedExponent = 7;

/** Undefined for SZX 7, which is reserved over UDP and a 4.00 in a request (RFC 7959 §2.2; BERT of RFC 8323 §6 is for TCP only). */
export function findBlock(value: number): Block | undefined {
  const exponent = value & 7;
  if (exponent === reservedExponent) return undefined;
  return { number: value >>> 4, more: (value & 8) !== 0, sizeBytes: smallestBlockBytes << exponent };
}

export function encodeBlock(block: Block): number {
  return (block.number << 4) | (block.more ? 8 : 0) | (Math.log2(block.sizeBytes) - 4);
}

export function blockOffset(block: Block): number {
  return block.number * block.sizeBytes;
}

/** The largest allowed size that is not above `sizeBytes`. */
export function blockSizeWithin(sizeBytes: number): number {
  let size = largestBlockBytes;
  while (size > smallestBlockBytes && size > sizeBytes) size /= 2;
  return size;
}
