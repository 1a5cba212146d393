/** What a received response says, read from its options in one pass (RFC 7252 §5.4, §5.10; RFC 7959 §2; RFC 7641 §2). */
import { type Block, findBlock } from "./block-option.ts";
import type { CoapOption, IncomingResponse } from "./message.ts";
import type { MessageView } from "./message-view.ts";
import { findOptionRule, isCritical, isRecognized, OptionNumber } from "./options.ts";
import type { PeerRecord } from "./peer-table.ts";

export interface ReceivedResponse extends IncomingResponse {
  readonly block1: Block | undefined;
  readonly block2: Block | undefined;
  /** The value to repeat in the request (RFC 9175 §2.3). */
  readonly echo: Uint8Array | undefined;
  /** Why it cannot be used: an unrecognized critical option (RFC 7252 §5.4.1) or a reserved block size. */
  readonly flaw: string | undefined;
}

/** What callers see: the block-wise and Echo parts have been dealt with. */
export function plainResponse(received: ReceivedResponse): IncomingResponse {
  const { block1: _, block2: __, echo: ___, flaw: ____, ...response } = received;
  return response;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Owns all its bytes. */
export function readResponse(view: MessageView, record: PeerRecord): ReceivedResponse {
  const locationPath: string[] = [];
  const options: CoapOption[] = [];
  const response: Writable<ReceivedResponse> = {
    peer: record.peer,
    code: view.code,
    contentFormat: undefined,
    locationPath,
    observe: undefined,
    maxAgeSeconds: undefined,
    etag: undefined,
    options,
    payload: view.payload(),
    block1: undefined,
    block2: undefined,
    echo: undefined,
    flaw: undefined,
  };
  let previous = 0;
  for (let i = 0; i < view.optionCount; i++) {
    const number = view.optionNumbers[i] ?? 0;
    if (isRecognized(number, view.optionLengths[i] ?? 0, number === previous)) readOption(response, locationPath, options, view, i);
    else if (isCritical(number)) response.flaw ??= `critical option ${number} is not recognized`;
    else if (findOptionRule(number) === undefined) options.push({ number, value: view.optionValue(i) });
    previous = number;
  }
  return response;
}

function readOption(
  response: Writable<ReceivedResponse>,
  locationPath: string[],
  options: CoapOption[],
  view: MessageView,
  index: number,
): void {
  const number = view.optionNumbers[index] ?? 0;
  switch (number) {
    case OptionNumber.etag:
      response.etag ??= view.optionValue(index);
      return;
    case OptionNumber.observe:
      response.observe = view.optionUint(index);
      return;
    case OptionNumber.locationPath: {
      const segment = view.findOptionText(index);
      // A location with a piece that is no text leads nowhere: the elective option is ignored (RFC 7252 §5.4.1).
      if (segment !== undefined) locationPath.push(segment);
      return;
    }
    case OptionNumber.contentFormat:
      response.contentFormat = view.optionUint(index);
      return;
    case OptionNumber.maxAge:
      response.maxAgeSeconds = view.optionUint(index);
      return;
    case OptionNumber.block1:
    case OptionNumber.block2:
      readBlock(response, number, view.optionUint(index));
      return;
    case OptionNumber.echo:
      response.echo = view.optionValue(index);
      return;
    default:
      options.push({ number, value: view.optionValue(index) });
  }
}

function readBlock(response: Writable<ReceivedResponse>, number: number, value: number): void {
  const block = findBlock(value);
  if (block === undefined) response.flaw ??= `option ${number}: block size exponent 7 is reserved`;
  else if (number === OptionNumber.block1) response.block1 = block;
  else response.block2 = block;
}
