/** Request and response bodies of any size over a flow: the client side of block-wise transfer (RFC 7959 §2.4–2.7). */
import { type Block, blockOffset, blockSizeWithin, encodeBlock, highestBlockNumber, largestBlockBytes } from "./block-option.ts";
import { joined } from "./body-assembly.ts";
import type { ExchangeEnd } from "./client-exchange.ts";
import { isSuccess, Method, ResponseCode } from "./codes.ts";
import type { CoapOption, OutgoingRequest } from "./message.ts";
import { decodeUint, encodeUint, OptionNumber } from "./options.ts";
import type { FlowMessage, RequestFlow } from "./request-flow.ts";
import type { ReceivedResponse } from "./response-fields.ts";

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);
/** How often in a row one block of a transfer is sent again to a peer that says "later" (4.29, 5.03 with Max-Age). */
const mostPostponements = 4;
/** Some servers (libcoap) take every copy of the first request for a new representation, so a bad link alone has it change. */
const mostRestarts = 4;
/** The smallest block tried on a peer that named no size. */
const smallestGuessBytes = 64;

/** What is asked besides the caller's request; `observe` stands only in the messages that carry the request body. */
export interface TransferVariant {
  readonly observe?: number;
  /** One token for all of them. */
  readonly token?: Uint8Array;
  readonly onExchange?: FlowMessage["onExchange"];
  readonly onEnd?: FlowMessage["onEnd"];
}

/** Sends the request, its body in blocks if need be, and follows Block2 to the end of the response. */
export async function transfer(flow: RequestFlow, variant: TransferVariant = {}): Promise<ExchangeEnd> {
  let end = await sendBody(flow, variant, []);
  // RFC 9175 §2.3: a server that wants proof of our address sends a value to repeat, once.
  if (end.kind === "response" && end.response.code === ResponseCode.unauthorized && end.response.echo !== undefined) {
    end = await sendBody(flow, variant, [{ number: OptionNumber.echo, value: end.response.echo }]);
  }
  // The back-off of the peer (RFC 7252 §5.9.3.4, RFC 8516 §4) holds the second one back until its time is over.
  if (end.kind === "response" && flow.goesAgainWhenPostponed && isIdempotent(flow.request.method) && flow.isPostponed(end.response)) {
    end = await sendBody(flow, variant, []);
  }
  if (end.kind === "failed") return end;
  return asksForOneBlock(flow.request) ? end : follow(flow, end.response);
}

/** Fetches what follows the first block of a response, with new tokens and without Observe (RFC 7959 §3.4). */
export async function follow(flow: RequestFlow, first: ReceivedResponse): Promise<ExchangeEnd> {
  let end = await collect(flow, first, isSafe(flow.request.method));
  // The representation changed in between (RFC 7959 §2.4): once more from the start, if asking again is harmless.
  if (end === "changed" && !isSafe(flow.request.method)) return invalid("the representation changed during the transfer");
  for (let restarts = 0; end === "changed"; restarts++) {
    if (restarts === mostRestarts) return invalid(`the representation changed ${mostRestarts + 1} times during the transfer`);
    const start = laterMessage(flow, { number: 0, more: false, sizeBytes: first.block2?.sizeBytes ?? largestBlockBytes });
    const again = await flow.exchange(start);
    if (again.kind === "failed") return again;
    end = await collect(flow, again.response, false);
  }
  return end;
}

async function sendBody(flow: RequestFlow, variant: TransferVariant, extras: readonly CoapOption[]): Promise<ExchangeEnd> {
  const payload = flow.request.payload ?? nothing;
  const sizeBytes = flow.parameters.blockSizeBytes;
  if (payload.length > sizeBytes) return sendBlocks(flow, variant, extras, sizeBytes);
  const end = await flow.exchange(bodyMessage(flow, variant, extras, payload));
  const smaller = end.kind === "response" ? smallerBlockBytes(end.response, payload.length, payload.length) : undefined;
  return smaller === undefined ? end : sendBlocks(flow, variant, extras, smaller);
}

/**
 * RFC 7959 §2.5:
 *
 *   sending --2.31--> sending the next (smaller, if the answer's block is)
 *   sending --4.13 with a smaller block, or without any at the start--> from the start in a smaller size     sending --4.08--> from the start, once
 *   sending --4.29, 5.03 with Max-Age, in mid-transfer--> the same block when the time is over
 *   sending --anything else--> ended
 */
async function sendBlocks(
  flow: RequestFlow,
  variant: TransferVariant,
  extras: readonly CoapOption[],
  firstSize: number,
): Promise<ExchangeEnd> {
  const others = flow.takeUpload();
  if (others !== undefined) await others;
  return sendInTurn(flow, variant, extras, firstSize).finally(() => flow.leaveUpload());
}

async function sendInTurn(
  flow: RequestFlow,
  variant: TransferVariant,
  extras: readonly CoapOption[],
  firstSize: number,
): Promise<ExchangeEnd> {
  const payload = flow.request.payload ?? nothing;
  let sizeBytes = firstSize;
  let offset = flow.resumeAtByte < payload.length ? Math.floor(flow.resumeAtByte / sizeBytes) * sizeBytes : 0;
  let restarted = false;
  let postponed = 0;
  flow.bodyBytesAcknowledged = offset;
  for (;;) {
    const block: Block = { number: offset / sizeBytes, more: offset + sizeBytes < payload.length, sizeBytes };
    if (block.number > highestBlockNumber) return invalid(`a body of ${payload.length} bytes does not fit blocks of ${sizeBytes}`);
    const options = [...extras, { number: OptionNumber.block1, value: encodeUint(encodeBlock(block)) }];
    if (offset === 0) options.push({ number: OptionNumber.size1, value: encodeUint(payload.length) });
    const end = await flow.exchange(bodyMessage(flow, variant, options, payload.subarray(offset, offset + sizeBytes)));
    if (end.kind === "failed") return end;
    const { response } = end;
    // In mid-transfer only a size that is named: a device that took blocks of this one has no room for more of them.
    const smaller = offset > 0 && response.block1 === undefined ? undefined : smallerBlockBytes(response, sizeBytes, payload.length);
    if (offset > 0 && flow.isPostponed(response) && postponed < mostPostponements) {
      postponed++;
    } else if (smaller !== undefined) {
      sizeBytes = smaller;
      offset = 0;
      flow.bodyBytesAcknowledged = 0;
    } else if (response.code === ResponseCode.requestEntityIncomplete && !restarted) {
      restarted = true;
      offset = 0;
      flow.bodyBytesAcknowledged = 0;
    } else if (response.code === ResponseCode.continue || (block.more && isSuccess(response.code))) {
      if (!block.more) return invalid("2.31 to the last block");
      // Seen from small stacks: 2.31 alone. It can only mean the one block under way; a final code without Block1 would say nothing.
      const answered = response.block1 ?? (response.code === ResponseCode.continue ? block : undefined);
      if (answered?.number !== block.number) return invalid(`the answer to block ${block.number} does not name it`);
      offset += sizeBytes;
      postponed = 0;
      flow.bodyBytesAcknowledged = offset;
      sizeBytes = Math.min(sizeBytes, answered.sizeBytes);
    } else {
      if (isSuccess(response.code)) flow.bodyBytesAcknowledged = payload.length;
      return end;
    }
  }
}

/**
 * The block size to start over with after a 4.13 (RFC 7959 §2.9.3): the smaller one it names. Small stacks name none: they get a
 * quarter, down to 64 bytes, unless Size1 says that the body itself is too large. Undefined: it is the caller's answer.
 */
function smallerBlockBytes(response: ReceivedResponse, sizeBytes: number, bodyBytes: number): number | undefined {
  if (response.code !== ResponseCode.requestEntityTooLarge) return undefined;
  const limit = response.options.find(({ number }) => number === OptionNumber.size1);
  if (response.block1 === undefined && limit !== undefined && decodeUint(limit.value) < bodyBytes) return undefined;
  const offered = response.block1?.sizeBytes ?? Math.max(blockSizeWithin(sizeBytes / 4), smallestGuessBytes);
  return offered < sizeBytes ? offered : undefined;
}

/** `changed`: the ETag says so, or, where `mayRestart`, the peer has lost the block: it shrank, or what it kept is gone. */
async function collect(flow: RequestFlow, first: ReceivedResponse, mayRestart: boolean): Promise<ExchangeEnd | "changed"> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  let current = first;
  for (;;) {
    const block = current.block2;
    if (block === undefined) return received === 0 ? { kind: "response", response: first } : invalid(`no Block2 at offset ${received}`);
    if (blockOffset(block) !== received) return invalid(`block at offset ${blockOffset(block)}, expected ${received}`);
    const length = current.payload.length;
    // RFC 7959 §2.2: every block but the last is full.
    if (block.more ? length !== block.sizeBytes : length > block.sizeBytes)
      return invalid(`block of ${length} bytes, its size is ${block.sizeBytes}`);
    chunks.push(current.payload);
    received += length;
    if (received > flow.largestBodyBytes) return invalid(`body larger than ${flow.largestBodyBytes} bytes`);
    if (!block.more) return { kind: "response", response: { ...first, payload: joined(chunks, received) } };
    if (block.number === highestBlockNumber) return invalid("more blocks than can be numbered");
    const end = await fetchBlock(flow, { number: received / block.sizeBytes, more: false, sizeBytes: block.sizeBytes });
    if (end.kind === "failed") return end;
    if (!isSuccess(end.response.code)) return mayRestart && isLostBlock(end.response.code) ? "changed" : end;
    if (isOtherEtag(end.response.etag, first.etag)) return "changed";
    current = end.response;
  }
}

async function fetchBlock(flow: RequestFlow, block: Block): Promise<ExchangeEnd> {
  for (let postponed = 0; ; postponed++) {
    const end = await flow.exchange(laterMessage(flow, block));
    if (end.kind === "failed" || !flow.isPostponed(end.response) || postponed === mostPostponements) return end;
  }
}

function bodyMessage(flow: RequestFlow, variant: TransferVariant, extras: readonly CoapOption[], payload: Uint8Array): FlowMessage {
  const options = [...requestOptions(flow.request), ...extras];
  if (variant.observe !== undefined) options.push({ number: OptionNumber.observe, value: encodeUint(variant.observe) });
  // RFC 7959 §2.4: a client that wants smaller blocks says so in the first request.
  const sizeBytes = flow.parameters.blockSizeBytes;
  if (sizeBytes < largestBlockBytes && isSafe(flow.request.method) && !asksForOneBlock(flow.request)) {
    options.push({ number: OptionNumber.block2, value: encodeUint(encodeBlock({ number: 0, more: false, sizeBytes })) });
  }
  return { options, payload, token: variant.token, onExchange: variant.onExchange, onEnd: variant.onEnd };
}

/**
 * RFC 7959 §2.4, §2.7: the same request for another block, Content-Format included: it is part of the key under which some servers
 * (aiocoap) keep the answer. Only FETCH needs its body to say what is asked (RFC 8132 §2.3).
 */
function laterMessage(flow: RequestFlow, block: Block): FlowMessage {
  const body = flow.request.payload ?? nothing;
  const { blockSizeBytes, omitsFetchBodyInLaterBlocks = false } = flow.parameters;
  const isFetch = flow.request.method === Method.fetch;
  const repeated = isFetch && body.length <= blockSizeBytes && !omitsFetchBodyInLaterBlocks;
  const options = requestOptions(flow.request).filter((option) => repeated || !isFetch || option.number !== OptionNumber.contentFormat);
  options.push({ number: OptionNumber.block2, value: encodeUint(encodeBlock(block)) });
  return { options, payload: repeated ? body : nothing };
}

function requestOptions(request: OutgoingRequest): CoapOption[] {
  const options: CoapOption[] = [...(request.options ?? [])];
  for (const segment of request.path) options.push({ number: OptionNumber.uriPath, value: encoder.encode(segment) });
  for (const argument of request.query ?? []) options.push({ number: OptionNumber.uriQuery, value: encoder.encode(argument) });
  if (request.contentFormat !== undefined) options.push({ number: OptionNumber.contentFormat, value: encodeUint(request.contentFormat) });
  if (request.accept !== undefined) options.push({ number: OptionNumber.accept, value: encodeUint(request.accept) });
  return options;
}

/** The caller reads one block himself (random access): he gets it as it came. */
function asksForOneBlock(request: OutgoingRequest): boolean {
  return request.options?.some((option) => option.number === OptionNumber.block2) ?? false;
}

/** RFC 7252 §5.1, RFC 8132 §2, §3: to do it twice is to do it once. An Execute is a POST. */
function isIdempotent(method: Method): boolean {
  return method !== Method.post && method !== Method.patch;
}

/** What servers say of a block that is not there (any more): 4.08 (RFC 7959 §2.9.2), and some 4.00 or 4.02. */
function isLostBlock(code: number): boolean {
  return code === ResponseCode.requestEntityIncomplete || code === ResponseCode.badRequest || code === ResponseCode.badOption;
}

function isSafe(method: number): boolean {
  return method === Method.get || method === Method.fetch;
}

/** Some devices send the ETag with one of the blocks only: where either has none, nothing says that they differ. */
function isOtherEtag(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return left.length !== right.length || !left.every((byte, i) => byte === right[i]);
}

function invalid(detail: string): ExchangeEnd {
  return { kind: "failed", reason: "invalid-response", detail };
}
