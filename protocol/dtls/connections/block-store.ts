/** Byte strings of a few hundred bytes at most, kept by number in a few large buffers: 100,000 of them are five objects, not 100,000. */

const smallestBlockBytes = 32;
/** 32 bytes to 64 kB. */
const sizeClasses = 12;
const lengthBytes = 3;
/** A handle is class × this + block. */
const blocksPerClass = 2 ** 26;
const smallestBlocks = 32;
const largestGrowthBytes = 4 * 1_048_576;

interface SizeClass {
  readonly blockBytes: number;
  bytes: Uint8Array;
  readonly free: number[];
  next: number;
}

export class BlockStore {
  readonly #classes: SizeClass[] = Array.from({ length: sizeClasses }, (_, number) => ({
    blockBytes: smallestBlockBytes * 2 ** number,
    bytes: new Uint8Array(0),
    free: [],
    next: 0,
  }));

  /** The handle (above 0) of a copy of `value`; 0 for what is too long to be kept. */
  put(value: Uint8Array): number {
    let number = 0;
    while (value.length + lengthBytes > smallestBlockBytes * 2 ** number) number += 1;
    const size = this.#classes[number];
    if (size === undefined) return 0;
    const block = size.free.pop() ?? size.next++;
    if (size.next * size.blockBytes > size.bytes.length) grow(size);
    const at = block * size.blockBytes;
    writeLength(size.bytes, at, value.length);
    size.bytes.set(value, at + lengthBytes);
    return number * blocksPerClass + block + 1;
  }

  /** A view until the next `put`; empty for handle 0. */
  get(handle: number): Uint8Array {
    if (handle === 0) return new Uint8Array(0);
    const { size, at } = this.#placeOf(handle);
    const length = readLength(size.bytes, at);
    return size.bytes.subarray(at + lengthBytes, at + lengthBytes + length);
  }

  remove(handle: number): void {
    if (handle === 0) return;
    const { size, at } = this.#placeOf(handle);
    size.bytes.fill(0, at, at + size.blockBytes);
    size.free.push(at / size.blockBytes);
  }

  #placeOf(handle: number): { size: SizeClass; at: number } {
    const size = this.#classes[Math.floor((handle - 1) / blocksPerClass)];
    if (size === undefined) throw new Error(`${handle} is no handle of a block`);
    return { size, at: ((handle - 1) % blocksPerClass) * size.blockBytes };
  }
}

function writeLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
}

function readLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

function grow(size: SizeClass): void {
  const least = smallestBlocks * size.blockBytes;
  const grown = new Uint8Array(size.bytes.length + Math.max(least, Math.min(size.bytes.length, largestGrowthBytes)));
  grown.set(size.bytes);
  size.bytes.fill(0);
  size.bytes = grown;
}
