/** The client the runner plays for a bootstrap server: asks, takes what it is sent, and judges the accounts as it would at Finish. */
import type { BootstrapStage, Stage } from "../case.ts";
import type { WirePeer } from "../platform/wire-peer.ts";
import {
  codeText,
  responseTo,
  textValues,
  uintOption,
  uintValue,
  type WireMessage,
  wireCode,
  wireFormat,
  wireOption,
} from "../wire-message.ts";
import { readSenmlJson, readTlv, type TlvEntry, tlvInteger, tlvText } from "../wire-payload.ts";
import { expectCode, pathOptions, queryOptions } from "./expect.ts";

/** How long a bootstrap server may think between two requests. */
const nextWithinMs = 10_000;
const notAcceptable = wireCode.notAcceptable;

/** A resource by its path, as text. */
export type Written = ReadonlyMap<string, string>;

export interface BootstrapSession {
  /** `DELETE /0`, `PUT /0/1`, in order. */
  readonly requests: readonly string[];
  readonly formats: ReadonlySet<number | undefined>;
  readonly written: Written;
  readonly finished: boolean;
}

export function requestOf(...queries: readonly string[]): Parameters<WirePeer["compose"]>[0] {
  return { code: wireCode.post, options: [...pathOptions("/bs"), ...queryOptions(...queries)] };
}

/** The whole of int-0 from the client's side. */
export async function bootstrap(stage: BootstrapStage, peer: WirePeer, ...queries: readonly string[]): Promise<BootstrapSession> {
  const answer = await peer.exchange(requestOf(...queries));
  const hint = answer?.code === wireCode.badRequest ? " (has the bootstrap server a configuration for this name?)" : "";
  const evidence = answer === undefined ? "no answer" : `${codeText(answer.code)}${hint}`;
  stage.check(`2.04 to POST /bs?${queries.join("&")}`, answer?.code === wireCode.changed, evidence);
  return serve(stage, peer);
}

/** Answers what comes until Finish or silence. */
export async function serve(stage: Stage, peer: WirePeer): Promise<BootstrapSession> {
  const requests: string[] = [];
  const formats = new Set<number | undefined>();
  const written = new Map<string, string>();
  for (;;) {
    const request = await nextRequest(peer);
    if (request === undefined) return { requests, formats, written, finished: false };
    const path = pathOf(request);
    requests.push(`${methodNames.get(request.code) ?? codeText(request.code)} ${path}`);
    if (request.code === wireCode.put) {
      formats.add(uintValue(request, wireOption.contentFormat));
      take(stage, written, path, request);
    }
    const finish = request.code === wireCode.post && path === "/bs";
    peer.send(answerTo(request, path, finish && problemOf(written) !== undefined));
    if (finish) return { requests, formats, written, finished: true };
  }
}

export function nextRequest(peer: WirePeer, timeoutMs = nextWithinMs): Promise<WireMessage | undefined> {
  return peer.receive(({ type, code }) => type < 2 && code > 0 && code < 0x20, timeoutMs);
}

/** Why these accounts do not lead to a server; undefined when they do (LwM2M Core 1.1 §6.1.4). */
export function problemOf(written: Written): string | undefined {
  const instances = new Set([...written.keys()].map((path) => path.split("/").slice(0, 3).join("/")));
  const accounts = [...instances].filter((path) => path.startsWith("/0/") && isFalse(written.get(`${path}/1`)));
  const [account] = accounts;
  if (account === undefined) return "no /0 instance of an LwM2M server";
  for (const id of [0, 2, 10]) if ((written.get(`${account}/${id}`) ?? "") === "") return `${account}/${id} is missing`;
  if (!/^coaps?(\+tcp)?:\/\/./.test(written.get(`${account}/0`) ?? "")) return `${account}/0 is no CoAP URI`;
  const shortServerId = written.get(`${account}/10`);
  const server = [...instances].find((path) => path.startsWith("/1/") && written.get(`${path}/0`) === shortServerId);
  if (server === undefined) return `no /1 instance with Short Server ID ${shortServerId}`;
  for (const id of [1, 7]) if ((written.get(`${server}/${id}`) ?? "") === "") return `${server}/${id} is missing`;
  return undefined;
}

export function expectAccount(stage: Stage, { requests, written, finished }: BootstrapSession): void {
  stage.check("/0 and /1 are written", hasWrite(requests, "/0") && hasWrite(requests, "/1"), requests.join(", "));
  const problem = problemOf(written);
  stage.check("to accounts that lead to a server", problem === undefined, problem);
  stage.check("then comes Finish", finished, requests.join(", "));
}

/** No request within the time: the session is over, or never was. */
export async function expectQuiet(stage: Stage, peer: WirePeer, text: string, forMs = 1_500): Promise<void> {
  const request = await nextRequest(peer, forMs);
  stage.check(text, request === undefined, request === undefined ? "" : `${codeText(request.code)} ${pathOf(request)}`);
}

export async function expectRefused(stage: BootstrapStage, text: string, code: number, ...queries: readonly string[]): Promise<void> {
  const peer = await stage.openPeer();
  expectCode(stage, text, await peer.exchange(requestOf(...queries)), code);
  await expectQuiet(stage, peer, "and nothing follows");
}

const methodNames: ReadonlyMap<number, string> = new Map([
  [wireCode.get, "GET"],
  [wireCode.post, "POST"],
  [wireCode.put, "PUT"],
  [wireCode.delete, "DELETE"],
]);

function hasWrite(requests: readonly string[], object: string): boolean {
  return requests.some((each) => each === `PUT ${object}` || each.startsWith(`PUT ${object}/`));
}

function pathOf(request: WireMessage): string {
  return `/${textValues(request, wireOption.uriPath).join("/")}`;
}

function isFalse(value: string | undefined): boolean {
  return value === undefined || value === "false" || value === "0";
}

function answerTo(request: WireMessage, path: string, inconsistent: boolean): WireMessage {
  switch (request.code) {
    case wireCode.delete:
      return responseTo(request, wireCode.deleted);
    case wireCode.put:
      return responseTo(request, wireCode.changed);
    case wireCode.post:
      return responseTo(request, path === "/bs" ? (inconsistent ? notAcceptable : wireCode.changed) : wireCode.methodNotAllowed);
    case wireCode.get:
      return discovered(request, path);
    default:
      return responseTo(request, wireCode.methodNotAllowed);
  }
}

/** The client of the runner has its bootstrap account in /0/0, and a device object. */
function discovered(request: WireMessage, path: string): WireMessage {
  if (uintValue(request, wireOption.accept) !== wireFormat.linkFormat) return responseTo(request, wireCode.methodNotAllowed);
  const links = ["</0/0>", "</1>", "</3/0>"].filter((link) => path === "/" || link.startsWith(`<${path}`));
  const payload = new TextEncoder().encode(["</>;lwm2m=1.1", ...links].join(","));
  return responseTo(request, wireCode.content, [uintOption(wireOption.contentFormat, wireFormat.linkFormat)], payload);
}

function take(stage: Stage, written: Map<string, string>, path: string, request: WireMessage): void {
  const format = uintValue(request, wireOption.contentFormat);
  try {
    if (format === wireFormat.tlv) takeTlv(written, path, readTlv(request.payload));
    else if (format === wireFormat.senmlJson) for (const [at, value] of readSenmlJson(request.payload)) written.set(at, String(value));
    else throw new RangeError(`format ${format}`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    stage.check(`the payload of PUT ${path} can be read`, false, error.message);
  }
}

/** URIs, bindings and names are text, the rest of what is judged integers; keys are kept as text and never looked at. */
function takeTlv(written: Map<string, string>, path: string, entries: readonly TlvEntry[]): void {
  for (const entry of entries) {
    const at = `${path}/${entry.id}`;
    if (entry.kind === "instance") takeTlv(written, at, entry.inner);
    else written.set(at, isText(at) ? (tlvText(entry) ?? "") : String(tlvInteger(entry) ?? ""));
  }
}

function isText(path: string): boolean {
  return /^\/0\/\d+\/(0|14)$|^\/1\/\d+\/(7|22)$/.test(path);
}
