/** What an exchange costs in bytes and time, estimated (RFC 7252 §3, RFC 7959 §2). Pure. */
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { DeviceAbilities, Load, SizedValue } from "./waiting.ts";

export interface Cost {
  /** Server to device and back, CoAP messages without what lies below them. */
  readonly bytesDown: number;
  readonly bytesUp: number;
  readonly roundTrips: number;
  readonly durationMs: number;
}

/** Bytes. */
const sizes = {
  /** Header and an 8-byte token (RFC 7252 §3). */
  message: 12,
  /** Payload marker (RFC 7252 §3). */
  marker: 1,
  /** A Content-Format or Accept of one or two bytes with its option header. */
  format: 3,
  /** Block1 or Block2 with its option header (RFC 7959 §2.2). */
  block: 4,
  /** IPv4 and UDP: what each datagram costs beside CoAP when two ways are compared. */
  below: 28,
  /** What SenML says around a path (3 bytes in CBOR, 8 in JSON), and around a path with its value. */
  pathRecord: 6,
  valueRecord: 10,
  list: 2,
} as const;

export function costOf(
  { requestOptions, requestBody, responseBody }: Load,
  device: Pick<DeviceAbilities, "blockSizeBytes" | "roundTripMs">,
): Cost {
  const { blockSizeBytes, roundTripMs } = device;
  const request = sizes.message + requestOptions;
  const blocksDown = blocksOf(requestBody, blockSizeBytes);
  const blocksUp = blocksOf(responseBody, blockSizeBytes);
  const roundTrips = blocksDown + blocksUp - 1;
  const inBlocks = roundTrips > 1 ? roundTrips * sizes.block : 0;
  const bytesDown = request * roundTrips + markersOf(requestBody, blocksDown) + requestBody + inBlocks;
  const bytesUp =
    (sizes.message + (responseBody > 0 ? sizes.format : 0)) * roundTrips + markersOf(responseBody, blocksUp) + responseBody + inBlocks;
  return { bytesDown, bytesUp, roundTrips, durationMs: roundTrips * roundTripMs };
}

/** To compare ways of doing the same: bytes on the wire, each datagram with what lies below it. */
export function weightOf({ bytesDown, bytesUp, roundTrips }: Cost): number {
  return bytesDown + bytesUp + roundTrips * 2 * sizes.below;
}

/** Uri-Path options: a byte each and the digits. */
export function pathOptionBytes(path: Lwm2mPath): number {
  return formatPath(path).length;
}

export const formatOptionBytes = sizes.format;

export function pathListBytes(paths: readonly Lwm2mPath[]): number {
  return paths.reduce<number>((sum, path) => sum + formatPath(path).length + sizes.pathRecord, sizes.list);
}

export function recordBytes({ path, bytes }: SizedValue): number {
  return formatPath(path).length + sizes.valueRecord + bytes;
}

export function valueListBytes(values: readonly SizedValue[]): number {
  return values.reduce<number>((sum, value) => sum + recordBytes(value), sizes.list);
}

function blocksOf(bytes: number, blockSizeBytes: number): number {
  return Math.max(1, Math.ceil(bytes / blockSizeBytes));
}

function markersOf(body: number, blocks: number): number {
  return body === 0 ? 0 : blocks * sizes.marker;
}
