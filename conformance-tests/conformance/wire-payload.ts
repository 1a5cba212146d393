/**
 * Payloads as the runner reads them: TLV (LwM2M Core 1.1 §7.4.5), SenML JSON (RFC 8428 §5), link format (RFC 6690). Apart from the codecs
 * of the product, like the messages. Each reader throws a RangeError on what it cannot read.
 */

export interface TlvEntry {
  readonly kind: "instance" | "resource-instance" | "multiple" | "resource";
  readonly id: number;
  readonly value: Uint8Array;
  /** What lies inside an object instance or a multiple resource. */
  readonly inner: readonly TlvEntry[];
}

/** By the two highest bits of the type byte. */
const tlvKinds = ["instance", "resource-instance", "multiple", "resource"] as const;

export function readTlv(bytes: Uint8Array): readonly TlvEntry[] {
  const entries: TlvEntry[] = [];
  let at = 0;
  const uint = (size: number): number => {
    if (at + size > bytes.length) throw new RangeError("a TLV entry reaches beyond the payload");
    const value = bytes.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
    at += size;
    return value;
  };
  while (at < bytes.length) {
    const type = uint(1);
    const id = uint(type & 0x20 ? 2 : 1);
    const lengthSize = (type >> 3) & 3;
    const length = lengthSize === 0 ? type & 7 : uint(lengthSize);
    if (at + length > bytes.length) throw new RangeError("a TLV value reaches beyond the payload");
    const value = bytes.subarray(at, at + length);
    at += length;
    const kind = tlvKinds[type >> 6] ?? "resource";
    entries.push({ kind, id, value, inner: kind === "instance" || kind === "multiple" ? readTlv(value) : [] });
  }
  return entries;
}

/** The resources of the one instance in the payload, with or without its own entry around them. */
export function tlvResources(bytes: Uint8Array): ReadonlyMap<number, TlvEntry> {
  const entries = readTlv(bytes);
  const [first] = entries;
  const resources = first?.kind === "instance" ? first.inner : entries;
  return new Map(resources.map((entry) => [entry.id, entry]));
}

export function tlvInteger(entry: TlvEntry | undefined): number | undefined {
  if (entry === undefined || entry.value.length === 0 || entry.value.length > 6) return undefined;
  const bytes = Buffer.from(entry.value);
  return bytes.readIntBE(0, bytes.length);
}

export function tlvText(entry: TlvEntry | undefined): string | undefined {
  return entry === undefined ? undefined : new TextDecoder().decode(entry.value);
}

export type SenmlValue = string | number | boolean;

/** Values by absolute path. */
export function readSenmlJson(bytes: Uint8Array): ReadonlyMap<string, SenmlValue> {
  const pack: unknown = parseJson(bytes);
  if (!Array.isArray(pack)) throw new RangeError("a SenML pack is an array");
  const values = new Map<string, SenmlValue>();
  let base = "";
  for (const record of pack) {
    const fields = new Map(Object.entries(Object(record)));
    const [baseName, name] = [fields.get("bn"), fields.get("n")];
    if (typeof baseName === "string") base = baseName;
    const value = ["v", "vs", "vb", "vd", "vlo"].map((key) => fields.get(key)).find((each) => each !== undefined);
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      values.set(`${base}${typeof name === "string" ? name : ""}`, value);
  }
  return values;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new RangeError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Attributes by target: `pmin=10` as text, a bare one as the empty text, quotes taken off. */
export function readLinks(bytes: Uint8Array): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const text = new TextDecoder().decode(bytes);
  const links = new Map<string, ReadonlyMap<string, string>>();
  for (const [link, target = "", attributes = ""] of text.matchAll(/<([^>]*)>((?:;[^,;"]+(?:"[^"]*")?)*),?/g)) {
    if (link === "") continue;
    const pairs = [...attributes.matchAll(/;([^=;]+)(?:=(?:"([^"]*)"|([^;]*)))?/g)];
    links.set(target, new Map(pairs.map(([, key = "", quoted, bare]) => [key, quoted ?? bare ?? ""])));
  }
  if (links.size === 0 && text !== "") throw new RangeError(`no link in ${JSON.stringify(text)}`);
  return links;
}

/** An unsigned integer in CBOR (RFC 8949 §3.1), up to 32 bits. */
export function cborUint(value: number): Uint8Array {
  if (value < 24) return Uint8Array.of(value);
  if (value < 0x100) return Uint8Array.of(0x18, value);
  const bytes = Buffer.alloc(value < 0x1_0000 ? 3 : 5);
  bytes[0] = value < 0x1_0000 ? 0x19 : 0x1a;
  bytes.writeUIntBE(value, 1, bytes.length - 1);
  return bytes;
}
