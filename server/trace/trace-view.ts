/** A traced message as people read it: type, code, token, options by name, payload by the object model. Secrets are left out. Pure. */
import { findBlock } from "@lwm2m/protocol/coap/block-option";
import { formatCode, Method } from "@lwm2m/protocol/coap/codes";
import { CoapFormatError } from "@lwm2m/protocol/coap/format-error";
import { MessageType, MessageView } from "@lwm2m/protocol/coap/message-view";
import { findOptionRule, OptionNumber } from "@lwm2m/protocol/coap/options";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { type PayloadContext, payloadView, type TracedExchange } from "./trace-payload.ts";
import type { TracedMessage } from "./trace-rings.ts";

export const hidden = "(hidden)";

const typeNames = new Map<number, string>([
  [MessageType.confirmable, "CON"],
  [MessageType.nonConfirmable, "NON"],
  [MessageType.acknowledgement, "ACK"],
  [MessageType.reset, "RST"],
]);
const methodNames = new Map<number, string>(Object.entries(Method).map(([name, code]) => [code, name.toUpperCase()]));

type Fields = { readonly [field: string]: Json };

/** Oldest first, as they came: a response is read by the request before it that has its token. */
export function traceViews(messages: readonly TracedMessage[], context: PayloadContext): readonly Fields[] {
  const asked = new Map<string, TracedExchange>();
  return messages.map((message) => messageView(message, asked, context));
}

function messageView(message: TracedMessage, asked: Map<string, TracedExchange>, context: PayloadContext): Fields {
  const { at, door, direction, peer, sizeBytes, bytes } = message;
  const head = { at: formatInstant(at), door, direction, address: peer.address, port: peer.port, sizeBytes };
  const view = new MessageView();
  try {
    view.decode(bytes);
  } catch (error) {
    if (!(error instanceof CoapFormatError)) throw error;
    return { ...head, malformed: error.message };
  }
  const token = Buffer.from(view.token()).toString("hex");
  const name = methodNames.get(view.code);
  const common = {
    ...head,
    type: typeNames.get(view.type) ?? "",
    code: formatCode(view.code),
    ...(name === undefined ? {} : { method: name }),
    messageId: view.messageId,
    token,
  };
  if (view.code === 0) return { ...common, options: [], payload: null };
  const exchange = exchangeOf(message, view, token, asked);
  return { ...common, options: optionViews(view, exchange), payload: payloadView(message, view, exchange, context) };
}

/** A request opens an exchange, a response belongs to the last request the other side sent with its token. */
function exchangeOf(
  { door, direction }: TracedMessage,
  view: MessageView,
  token: string,
  asked: Map<string, TracedExchange>,
): TracedExchange | undefined {
  const isRequest = view.code >> 5 === 0;
  const asker = isRequest === (direction === "in") ? "in" : "out";
  const key = `${door} ${asker} ${token}`;
  if (!isRequest) return asked.get(key);
  const exchange: TracedExchange = { asker, method: view.code, path: textsOf(view, OptionNumber.uriPath) };
  asked.set(key, exchange);
  return exchange;
}

function textsOf(view: MessageView, number: number): readonly string[] {
  const texts: string[] = [];
  for (let i = 0; i < view.optionCount; i++) {
    if (view.optionNumbers[i] === number) texts.push(view.findOptionText(i) ?? "");
  }
  return texts;
}

function optionViews(view: MessageView, exchange: TracedExchange | undefined): readonly Json[] {
  const views: Json[] = [];
  let pathAt = 0;
  for (let i = 0; i < view.optionCount; i++) {
    const number = view.optionNumbers[i] ?? 0;
    const isPath = number === OptionNumber.uriPath || number === OptionNumber.locationPath;
    const name = findOptionRule(number)?.name ?? `Option ${number}`;
    const isSecret = isPath && isLocationSecret(number, pathAt, exchange);
    if (isPath) pathAt++;
    views.push({ number, name, value: isSecret ? hidden : optionValue(view, i, number) });
  }
  return views;
}

/** Who knows the location of a registration may end it over NoSec: the segment below `/rd` is shown nowhere. */
function isLocationSecret(number: number, at: number, exchange: TracedExchange | undefined): boolean {
  if (at === 0) return false;
  // A Location-Path whose request is no longer known may be one as well.
  if (exchange === undefined) return number === OptionNumber.locationPath;
  return exchange.asker === "in" && exchange.path[0] === "rd";
}

function optionValue(view: MessageView, index: number, number: number): Json {
  const rule = findOptionRule(number);
  if (number === OptionNumber.block1 || number === OptionNumber.block2) {
    const block = findBlock(view.optionUint(index));
    return block === undefined ? view.optionUint(index) : { ...block };
  }
  switch (rule?.format) {
    case "uint":
      return view.optionUint(index);
    case "string":
      return view.findOptionText(index) ?? Buffer.from(view.optionValue(index)).toString("hex");
    default:
      return Buffer.from(view.optionValue(index)).toString("hex");
  }
}
