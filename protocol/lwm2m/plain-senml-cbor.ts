/**
 * The short cut for SenML-CBOR packs as sensors send them (RFC 8428 §6): `decodeSenmlCbor` gives the same for every pack that this one takes.
 *
 * On the path of every Send, so plain style yields to speed: one pass from bytes to nodes, without records, names as text or an object per
 * field in between. What needs a tolerance, a refusal or a rare form is not taken, and nobody was told of anything then.
 */
import { findUtf8Between } from "../bytes/utf8.ts";
import { CborScan, Initial, notScanned } from "../cbor/cbor-scan.ts";
import { maxRecordsOf, nodeOf } from "./node.ts";
import { type Lwm2mPath, maxIdentifier } from "./path.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { findInstant } from "./senml.ts";
import type { PathValue, ResourceType, ResourceValue } from "./value.ts";

/** Labels of RFC 8428 §6, table 4, as their initial bytes. */
const Label = { name: 0x00, value: 0x02, text: 0x03, truth: 0x04, time: 0x06, bytes: 0x08, baseName: 0x21, baseTime: 0x22 } as const;
const nameBit = 1;
const textBit = 2;
const truthBit = 4;
const bytesBit = 8;
const numberBit = 16;
const timeBit = 32;
const baseNameBit = 64;
const baseTimeBit = 128;
const valueBits = textBit | truthBit | bytesBit | numberBit;

const slash = 0x2f;
const digitZero = 0x30;
const digitNine = 0x39;
/** No identifier yet. */
const none = -1;
const maxLevels = 4;

/** Undefined for a pack that is not plain: whether it is any good at all is for the whole rule to say. */
export function findPlainPack(payload: Uint8Array, context: DecodeContext): PathValue[] | undefined {
  if (context.rootPath !== undefined) return undefined;
  const scan = new CborScan(payload);
  const count = scan.count(Initial.array);
  if (count === notScanned || count > maxRecordsOf(context)) return undefined;
  const record = new PlainRecord(scan);
  const nodes: PathValue[] = [];
  for (let passed = 0; passed < count; passed++) {
    const node = record.read() ? record.findNode(context) : undefined;
    if (node === undefined) return undefined;
    nodes.push(node);
  }
  return scan.at === payload.length ? nodes : undefined;
}

/** One record after the other; the base fields stay. */
class PlainRecord {
  readonly #scan: CborScan;
  readonly #base = new PathScan();
  readonly #path = new PathScan();
  /** Seconds; NaN before there was one. */
  #baseTime = Number.NaN;
  #time = 0;
  #seen = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #number = 0;
  #whole = false;
  #truth = false;
  /** Of text or bytes. */
  #valueStart = 0;
  #valueEnd = 0;

  constructor(scan: CborScan) {
    this.#scan = scan;
  }

  /** False where it is not plain. */
  read(): boolean {
    this.#seen = 0;
    const count = this.#scan.count(Initial.map);
    for (let passed = 0; passed < count; passed++) {
      const bit = this.#readField(this.#scan.byte());
      // Not plain, or a label for the second time.
      if (bit === 0 || (this.#seen & bit) !== 0) return false;
      this.#seen |= bit;
    }
    const values = this.#seen & valueBits;
    // None is a record of base fields or an empty node, two are refused.
    return values !== 0 && (values & (values - 1)) === 0;
  }

  /** The node that was read; undefined where it is not plain. */
  findNode(context: DecodeContext): PathValue | undefined {
    const { bytes } = this.#scan;
    const path = this.#path;
    path.set(this.#base);
    if ((this.#seen & nameBit) !== 0 && !path.read(bytes, this.#nameStart, this.#nameEnd)) return undefined;
    const at = path.findValuePath();
    if (at === undefined) return undefined;
    const resource = context.typeOf(at.objectId, at.resourceId);
    if (resource?.multiple === true && at.resourceInstanceId === undefined) return undefined;
    const value = this.#findValue(resource?.type);
    if (value === undefined) return undefined;
    const hasTime = (this.#seen & timeBit) !== 0;
    const hasBaseTime = !Number.isNaN(this.#baseTime);
    if (!hasTime && !hasBaseTime) return nodeOf(at, value);
    const timeMs = findInstant((hasBaseTime ? this.#baseTime : 0) + (hasTime ? this.#time : 0), context);
    return timeMs === undefined ? undefined : nodeOf(at, value, timeMs);
  }

  /** The bit of the field, 0 where it is not plain. */
  #readField(label: number): number {
    const scan = this.#scan;
    switch (label) {
      case Label.name:
        if (!scan.string(Initial.text)) return 0;
        this.#nameStart = scan.start;
        this.#nameEnd = scan.end;
        return nameBit;
      case Label.value:
        this.#number = scan.number();
        this.#whole = scan.whole;
        return Number.isNaN(this.#number) ? 0 : numberBit;
      case Label.time:
        this.#time = scan.number();
        return Number.isFinite(this.#time) ? timeBit : 0;
      case Label.text:
        return this.#readString(Initial.text) ? textBit : 0;
      case Label.bytes:
        return this.#readString(Initial.bytes) ? bytesBit : 0;
      case Label.truth: {
        const byte = scan.byte();
        this.#truth = byte === Initial.true;
        return this.#truth || byte === Initial.false ? truthBit : 0;
      }
      case Label.baseName:
        this.#base.clear();
        return scan.string(Initial.text) && this.#base.read(scan.bytes, scan.start, scan.end) ? baseNameBit : 0;
      case Label.baseTime:
        this.#baseTime = scan.number();
        return Number.isFinite(this.#baseTime) ? baseTimeBit : 0;
      default:
        return 0;
    }
  }

  #readString(kind: number): boolean {
    if (!this.#scan.string(kind)) return false;
    this.#valueStart = this.#scan.start;
    this.#valueEnd = this.#scan.end;
    return true;
  }

  /** As `readScalar` has it, where that needs no tolerance and refuses nothing. */
  #findValue(type: ResourceType | undefined): ResourceValue | undefined {
    switch (this.#seen & valueBits) {
      case numberBit:
        return this.#findNumber(type ?? (this.#whole ? "integer" : "float"));
      case truthBit:
        return type === "boolean" || type === undefined ? { type: "boolean", value: this.#truth } : undefined;
      case bytesBit:
        if (type !== "opaque" && type !== undefined) return undefined;
        return { type: "opaque", value: new Uint8Array(this.#scan.bytes.subarray(this.#valueStart, this.#valueEnd)) };
      default: {
        if (type !== "string" && type !== "corelnk" && type !== undefined) return undefined;
        const value = findUtf8Between(this.#scan.bytes, this.#valueStart, this.#valueEnd);
        return value === undefined ? undefined : { type: type ?? "string", value };
      }
    }
  }

  #findNumber(type: ResourceType): ResourceValue | undefined {
    const value = this.#number;
    switch (type) {
      case "float":
        return { type, value };
      case "integer":
      case "time":
        return this.#whole ? { type, value: BigInt(value) } : undefined;
      case "unsigned":
        return this.#whole && value >= 0 ? { type, value: BigInt(value) } : undefined;
      default:
        return undefined;
    }
  }
}

/** A path read from one text or two, digit by digit where they stand: `findPlainPath` for bytes. */
class PathScan {
  #objectId = none;
  #instanceId = none;
  #resourceId = none;
  /** The last identifier, `none` behind a slash. */
  #id = none;
  /** 0 before the first slash. */
  #levels = 0;

  clear(): void {
    this.#id = none;
    this.#levels = 0;
  }

  set(other: PathScan): void {
    this.#objectId = other.#objectId;
    this.#instanceId = other.#instanceId;
    this.#resourceId = other.#resourceId;
    this.#id = other.#id;
    this.#levels = other.#levels;
  }

  /** Goes on with the bytes from `start` to `end`; false for what `findPlainPath` does not take. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === slash) {
        if (!this.#nextLevel()) return false;
      } else {
        // A zero before other digits is refused, so is all that is no digit.
        if (byte < digitZero || byte > digitNine || this.#id === 0 || this.#levels === 0) return false;
        this.#id = this.#id === none ? byte - digitZero : this.#id * 10 + byte - digitZero;
        if (this.#id > maxIdentifier) return false;
      }
    }
    return true;
  }

  /** The path of a resource or resource instance; undefined where the text ends above or behind a slash. */
  findValuePath(): (Lwm2mPath & { readonly resourceId: number }) | undefined {
    if (this.#id === none || this.#levels < maxLevels - 1) return undefined;
    const objectId = this.#objectId;
    const instanceId = this.#instanceId;
    if (this.#levels === maxLevels - 1) return { objectId, instanceId, resourceId: this.#id };
    return { objectId, instanceId, resourceId: this.#resourceId, resourceInstanceId: this.#id };
  }

  #nextLevel(): boolean {
    if ((this.#id === none) !== (this.#levels === 0) || this.#levels === maxLevels) return false;
    if (this.#levels === 1) this.#objectId = this.#id;
    else if (this.#levels === 2) this.#instanceId = this.#id;
    else if (this.#levels === 3) this.#resourceId = this.#id;
    this.#levels++;
    this.#id = none;
    return true;
  }
}
