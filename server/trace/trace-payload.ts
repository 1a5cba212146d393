/**
 * The payload of a traced message: values by the object model where it can be read, text or bytes otherwise. What may be a secret is
 * not shown: resources a server cannot read back (keys of `/0` and `/21`, firmware bytes, passwords), and bytes that may hold one.
 */
import { findUtf8 } from "@lwm2m/protocol/bytes/utf8";
import { findBlock } from "@lwm2m/protocol/coap/block-option";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { MessageView } from "@lwm2m/protocol/coap/message-view";
import { OptionNumber } from "@lwm2m/protocol/coap/options";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { findPath, formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { decodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { DecodeContext } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import { isSecretPath } from "../registration/secret-paths.ts";
import type { Json } from "../storage/collection.ts";
import type { TracedMessage } from "./trace-rings.ts";

export interface PayloadContext {
  readonly model: DeviceModel;
  /** Of the device, without slashes at the ends. */
  readonly rootPath: string;
}

/** What a request asked, as far as its answer needs it. */
export interface TracedExchange {
  /** Who sent the request: the device (`in`) or the server. */
  readonly asker: "in" | "out";
  readonly method: number;
  readonly path: readonly string[];
}

/** Null without a payload; `values`, `text` or `hex`, or `hidden` with the reason. */
export function payloadView(
  message: TracedMessage,
  view: MessageView,
  exchange: TracedExchange | undefined,
  context: PayloadContext,
): Json {
  const sizeBytes = view.payloadLength + message.sizeBytes - message.bytes.length;
  if (view.payloadLength === 0) return null;
  const payload = view.payload();
  const format = uintOf(view, OptionNumber.contentFormat);
  const cut = sizeBytes > payload.length ? { shownBytes: payload.length } : {};
  // RFC 7252 §5.5.2: what comes with an error is for people.
  if (view.code >> 5 > 2 || format === ContentFormat.linkFormat) return { sizeBytes, ...cut, ...textOrHex(payload) };
  if (isPart(view))
    return { sizeBytes, ...cut, ...rawView(payload, format, exchange, { ...context, handedOut: isHandedOut(message, view) }) };
  const values = findValues(payload, format, exchange, context, message.at);
  return values === undefined
    ? { sizeBytes, ...cut, ...rawView(payload, format, exchange, { ...context, handedOut: isHandedOut(message, view) }) }
    : { sizeBytes, values: values.map((value) => valueView(value, context.model)) };
}

function uintOf(view: MessageView, number: number): number | undefined {
  for (let i = 0; i < view.optionCount; i++) if (view.optionNumbers[i] === number) return view.optionUint(i);
  return undefined;
}

/** A block that is not the whole body (RFC 7959 §2.2) cannot be read by itself. */
function isPart(view: MessageView): boolean {
  // Block1 describes the payload of a request, Block2 that of a response (RFC 7959 §2.1).
  const value = uintOf(view, view.code >> 5 === 0 ? OptionNumber.block1 : OptionNumber.block2);
  const block = value === undefined ? undefined : findBlock(value);
  return block !== undefined && (block.more || block.number > 0);
}

/** Undefined: nothing the object model can read. An answer about another object than was asked for is read as what it says. */
function findValues(
  payload: Uint8Array,
  format: number | undefined,
  exchange: TracedExchange | undefined,
  { model, rootPath }: PayloadContext,
  nowMs: number,
): readonly PathValue[] | undefined {
  if (format === undefined) return undefined;
  const path = exchange === undefined ? undefined : findTarget(exchange, rootPath);
  const root = rootPath === "" ? {} : { rootPath: `/${rootPath}` };
  const whole: DecodeContext = { ...root, typeOf: model.typeOf, nowMs };
  const below = path === undefined ? undefined : findDecoded(format, payload, { ...whole, path });
  return below ?? findDecoded(format, payload, whole);
}

function findDecoded(format: number, payload: Uint8Array, context: DecodeContext): readonly PathValue[] | undefined {
  try {
    return decodePayload(format, payload, context);
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return undefined;
    throw error;
  }
}

/** The LwM2M path a request of the server names; undefined for any other, and for the root. */
function findTarget({ asker, path }: TracedExchange, rootPath: string): Lwm2mPath | undefined {
  if (asker === "in") return undefined;
  const root = rootPath.split("/").filter((segment) => segment !== "");
  const isBelow = root.every((segment, index) => path[index] === segment);
  return findPath(`/${path.slice(isBelow ? root.length : 0).join("/")}`);
}

function valueView({ path, value }: PathValue, model: DeviceModel): Json {
  const name = model.nameOf(path);
  const head = { path: formatPath(path), ...(name === undefined ? {} : { name }) };
  if (value === undefined) return head;
  if (isSecretPath(path, model)) return { ...head, type: value.type, hidden: "a value nobody reads back" };
  return { ...head, type: value.type, value: toJsonValue(value) };
}

/** An answer to a device: firmware packages and bootstrap packs are such, whole or in blocks. */
function isHandedOut({ direction }: TracedMessage, view: MessageView): boolean {
  return direction === "out" && view.code >> 5 > 0;
}

function rawView(
  payload: Uint8Array,
  format: number | undefined,
  exchange: TracedExchange | undefined,
  { model, rootPath, handedOut }: PayloadContext & { readonly handedOut: boolean },
): { readonly [field: string]: Json } {
  if (exchange === undefined) return { hidden: "its request is no longer in the trace: it may hold anything" };
  if (handedOut) return { hidden: "what the server hands out: it may be firmware or credentials" };
  // What a device says of its own accord: its objects, what it reports. Nothing of it is a credential.
  if (exchange.asker === "in") return format === undefined ? textOrHex(payload) : rawByFormat(payload, format);
  const path = findTarget(exchange, rootPath);
  if (path === undefined) return { hidden: "it may hold credentials" };
  const resources = model.definitionOf(path.objectId)?.resources;
  const meant = path.resourceId === undefined ? [...(resources?.keys() ?? [])] : [path.resourceId];
  const mayHoldSecret = isSecretPath(path, model) || meant.some((resourceId) => isSecretPath({ ...path, resourceId }, model));
  return mayHoldSecret ? { hidden: "it may hold what nobody reads back" } : rawByFormat(payload, format);
}

const textFormats: ReadonlySet<number | undefined> = new Set([
  undefined,
  ContentFormat.text,
  ContentFormat.senmlJson,
  ContentFormat.senmlEtchJson,
  ContentFormat.lwm2mJson,
]);

function rawByFormat(payload: Uint8Array, format: number | undefined): { readonly [field: string]: Json } {
  return textFormats.has(format) ? textOrHex(payload) : { hex: Buffer.from(payload).toString("hex") };
}

function textOrHex(payload: Uint8Array): { readonly [field: string]: Json } {
  const text = findUtf8(payload);
  return text === undefined ? { hex: Buffer.from(payload).toString("hex") } : { text };
}
