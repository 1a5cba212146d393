/** What a received request asks, read from its options in one pass (RFC 7252 §5.4, §5.10). */
import { ResponseCode } from "./codes.ts";
import type { CoapOption } from "./message.ts";
import type { MessageView } from "./message-view.ts";
import { findOptionRule, isCritical, isRecognized, OptionNumber } from "./options.ts";

export interface RequestFields {
  readonly path: string[];
  readonly query: string[];
  contentFormat: number | undefined;
  accept: number | undefined;
  observe: number | undefined;
  /** Values of Block1 and Block2 as they stand in the message. */
  block1: number | undefined;
  block2: number | undefined;
  size1: number | undefined;
  requestTag: Uint8Array | undefined;
  echo: Uint8Array | undefined;
  /** Which classes of answers the peer has no use for, a bit each (RFC 7967 §2.1); 0 for none. */
  noResponse: number;
  ifMatch: Uint8Array[] | undefined;
  ifNoneMatch: boolean;
  readonly options: CoapOption[];
  /** The first critical option that is not recognized or not served here: 4.02 (RFC 7252 §5.4.1). */
  badOption: number | undefined;
  /** Proxy-Uri or Proxy-Scheme: 5.05 (RFC 7252 §5.10.2). */
  proxied: boolean;
}

export function readRequestFields(view: MessageView): RequestFields {
  const fields: RequestFields = {
    path: [],
    query: [],
    contentFormat: undefined,
    accept: undefined,
    observe: undefined,
    block1: undefined,
    block2: undefined,
    size1: undefined,
    requestTag: undefined,
    echo: undefined,
    noResponse: 0,
    ifMatch: undefined,
    ifNoneMatch: false,
    options: [],
    badOption: undefined,
    proxied: false,
  };
  let previous = 0;
  for (let i = 0; i < view.optionCount; i++) {
    const number = view.optionNumbers[i] ?? 0;
    if (isRecognized(number, view.optionLengths[i] ?? 0, number === previous)) readOption(fields, view, i, number);
    else if (isCritical(number)) fields.badOption ??= number;
    // An elective option that is unknown goes up as it came; one that is malformed or repeated is ignored (RFC 7252 §5.4.1, §5.4.5).
    else if (findOptionRule(number) === undefined) fields.options.push({ number, value: view.optionValue(i) });
    previous = number;
  }
  return fields;
}

function readOption(fields: RequestFields, view: MessageView, index: number, number: number): void {
  switch (number) {
    case OptionNumber.uriPath:
      readText(fields, fields.path, view, index, number);
      return;
    case OptionNumber.uriQuery:
      readText(fields, fields.query, view, index, number);
      return;
    case OptionNumber.contentFormat:
      fields.contentFormat = view.optionUint(index);
      return;
    case OptionNumber.accept:
      fields.accept = view.optionUint(index);
      return;
    case OptionNumber.observe:
      fields.observe = view.optionUint(index);
      return;
    case OptionNumber.block1:
      fields.block1 = view.optionUint(index);
      return;
    case OptionNumber.block2:
      fields.block2 = view.optionUint(index);
      return;
    case OptionNumber.size1:
      fields.size1 = view.optionUint(index);
      return;
    case OptionNumber.requestTag:
      fields.requestTag = view.optionValue(index);
      return;
    case OptionNumber.proxyUri:
    case OptionNumber.proxyScheme:
      fields.proxied = true;
      return;
    case OptionNumber.echo:
      fields.echo = view.optionValue(index);
      return;
    case OptionNumber.noResponse:
      fields.noResponse = view.optionUint(index);
      return;
    case OptionNumber.ifMatch:
      fields.ifMatch ??= [];
      fields.ifMatch.push(view.optionValue(index));
      return;
    case OptionNumber.ifNoneMatch:
      fields.ifNoneMatch = true;
      return;
    default:
      fields.options.push({ number, value: view.optionValue(index) });
  }
}

/** RFC 7252 §3.2, §5.4.3: a value that is no UTF-8 counts as one of a critical option that is not recognized. */
function readText(fields: RequestFields, into: string[], view: MessageView, index: number, number: number): void {
  const text = view.findOptionText(index);
  if (text === undefined) fields.badOption ??= number;
  else into.push(text);
}

/** The option that asks for a precondition, if one does. */
export function findPrecondition(fields: RequestFields): number | undefined {
  if (fields.ifMatch !== undefined) return OptionNumber.ifMatch;
  return fields.ifNoneMatch ? OptionNumber.ifNoneMatch : undefined;
}

/** RFC 7967 §2.1: bit 1 stands for class 2, bit 3 for class 4, bit 4 for class 5. A 2.31 is part of a transfer and always wanted. */
export function isUnwanted(fields: RequestFields, code: number): boolean {
  return fields.noResponse !== 0 && code !== ResponseCode.continue && (fields.noResponse & (1 << ((code >> 5) - 1))) !== 0;
}
