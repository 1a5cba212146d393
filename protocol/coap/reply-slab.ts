/** Stored replies in a few large buffers: a small array object per reply would cost twenty times its 12 bytes. */

/** Slot sizes, bytes. An empty ACK takes 4, most answers below 64, a block of 1,024 with its options below 1,152. */
const slotSizes: readonly number[] = [16, 32, 64, 128, 256, 512, 1_152, 2_304];
const chunkBytes = 65_536;
const indexBits = 26;
const indexMask = 2 ** indexBits - 1;

interface SizeClass {
  readonly slotBytes: number;
  readonly slotsPerChunk: number;
  readonly chunks: Uint8Array[];
  readonly free: number[];
  used: number;
}

export const noReply = -1;

export class ReplySlab {
  readonly #classes: readonly SizeClass[] = slotSizes.map((slotBytes) => ({
    slotBytes,
    slotsPerChunk: Math.floor(chunkBytes / slotBytes),
    chunks: [],
    free: [],
    used: 0,
  }));
  #storedBytes = 0;

  /** Bytes taken by the slots in use. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** A reference for `read` and `release`; `noReply` when the bytes are larger than any slot. */
  store(bytes: Uint8Array): number {
    const classNumber = slotSizes.findIndex((size) => bytes.length <= size);
    const sizeClass = this.#classes[classNumber];
    if (sizeClass === undefined) return noReply;
    const index = sizeClass.free.pop() ?? this.#newSlot(sizeClass);
    const target = chunkOf(sizeClass, index);
    const offset = (index % sizeClass.slotsPerChunk) * sizeClass.slotBytes;
    target.set(bytes, offset);
    this.#storedBytes += sizeClass.slotBytes;
    return (classNumber << indexBits) | index;
  }

  /** A view, valid until the reference is released. */
  read(reference: number, length: number): Uint8Array {
    const [sizeClass, index] = this.#locate(reference);
    const offset = (index % sizeClass.slotsPerChunk) * sizeClass.slotBytes;
    return chunkOf(sizeClass, index).subarray(offset, offset + length);
  }

  release(reference: number): void {
    const [sizeClass, index] = this.#locate(reference);
    sizeClass.free.push(index);
    this.#storedBytes -= sizeClass.slotBytes;
  }

  #locate(reference: number): readonly [SizeClass, number] {
    const sizeClass = this.#classes[reference >> indexBits];
    if (sizeClass === undefined) throw new Error(`reply reference ${reference} points nowhere`);
    return [sizeClass, reference & indexMask];
  }

  #newSlot(sizeClass: SizeClass): number {
    if (sizeClass.used === sizeClass.chunks.length * sizeClass.slotsPerChunk) sizeClass.chunks.push(new Uint8Array(chunkBytes));
    return sizeClass.used++;
  }
}

function chunkOf(sizeClass: SizeClass, index: number): Uint8Array {
  const chunk = sizeClass.chunks[Math.floor(index / sizeClass.slotsPerChunk)];
  if (chunk === undefined) throw new Error(`reply slot ${index} lies outside its chunks`);
  return chunk;
}
