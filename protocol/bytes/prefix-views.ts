/** Views of the first bytes of one buffer, one a length: on the path of every datagram a view costs more to make than the bytes to write. */

/** Nearly all datagrams are within one link's frame; longer views are made anew. */
const longestKeptBytes = 1_500;

export class PrefixViews {
  readonly bytes: Uint8Array;
  readonly #views: Uint8Array[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  upTo(length: number): Uint8Array {
    const known = this.#views[length];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(0, length);
    if (length <= longestKeptBytes) this.#views[length] = view;
    return view;
  }
}
