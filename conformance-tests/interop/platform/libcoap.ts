/** libcoap's command line client: one request a call, its answer read from the message trace (`-v 7`). */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "./child.ts";

export interface CoapAnswer {
  /** `2.01` of the last answer, undefined when none came in time. */
  readonly code: string | undefined;
  /** `rd/5a3F`, joined from the Location-Path options. */
  readonly location: string | undefined;
  /** How many messages with a response code arrived. */
  readonly messages: number;
  readonly payload: Uint8Array;
  readonly trace: readonly string[];
}

export interface CoapRequest {
  readonly payload?: string | undefined;
  /** Content format number of the payload. */
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly blockSize?: number;
  readonly nonConfirmable?: boolean;
  /** The port to send from; a free one without it. */
  readonly localPort?: number;
  /** More arguments of the program: `-O num,text` for an option, `-s seconds` to observe. */
  readonly args?: readonly string[];
  /** Where files of this request may lie. */
  readonly directory: string;
}

/** An answer ends it at once. It resends after 2 to 3 s, then after twice that: time for three losses in a row. */
export const giveUpSeconds = 30;

let requests = 0;

export async function coapRequest(method: string, uri: string, request: CoapRequest): Promise<CoapAnswer> {
  const number = ++requests;
  const received = join(request.directory, `answer-${number}`);
  const args = ["-v", "7", "-B", String(giveUpSeconds), "-m", method, "-o", received];
  if (request.contentFormat !== undefined) args.push("-t", String(request.contentFormat));
  if (request.accept !== undefined) args.push("-A", String(request.accept));
  if (request.blockSize !== undefined) args.push("-b", String(request.blockSize));
  if (request.nonConfirmable) args.push("-N");
  if (request.localPort !== undefined) args.push("-p", String(request.localPort));
  if (request.payload !== undefined) {
    const sent = join(request.directory, `request-${number}`);
    await writeFile(sent, request.payload);
    args.push("-f", sent);
  }
  const child = new Child("coap-client", "coap-client-notls", [...args, ...(request.args ?? []), uri]);
  await child.end((giveUpSeconds + 60) * 1_000);
  return readTrace([...child.stdout, ...child.stderr], await readFile(received).catch(() => new Uint8Array()));
}

/** Received messages follow a line with "received N bytes": `v:1 t:ACK c:2.01 i:d596 {01} [ Location-Path:rd, … ]`. */
function readTrace(trace: readonly string[], payload: Uint8Array): CoapAnswer {
  let code: string | undefined;
  let location: string | undefined;
  let messages = 0;
  for (const [index, line] of trace.entries()) {
    // A body put together from blocks is shown once more, without having been received.
    if (!/received \d+ bytes$/.test(trace[index - 1] ?? "")) continue;
    const message = /^v:1 t:\w+ c:(\d\.\d\d) i:[0-9a-f]+ \{[^}]*\} \[(.*?)\]( ::.*)?$/.exec(line);
    if (message === null || message[1]?.startsWith("0")) continue;
    code = message[1];
    messages += 1;
    const segments = [...(message[2] ?? "").matchAll(/Location-Path:([^, ]+)/g)].map((each) => each[1]);
    if (segments.length > 0) location = segments.join("/");
  }
  return { code, location, messages, payload, trace };
}
