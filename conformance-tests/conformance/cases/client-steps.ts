/** What the cases for clients do as an LwM2M server: one CoAP request a step. */
import { type ClientStage, NotApplicable, type RegisteredClient, type Stage } from "../case.ts";
import type { Contact } from "../platform/wire-server.ts";
import { codeText, textValues, uintOption, uintValue, type WireMessage, wireCode, wireFormat, wireOption } from "../wire-message.ts";
import { readLinks } from "../wire-payload.ts";
import { expectCode, pathOptions, queryOptions } from "./expect.ts";

/** How soon an Update must follow what causes it. */
export const updateWithinMs = 10_000;

export function read({ peer }: RegisteredClient, path: string, accept?: number): Promise<WireMessage | undefined> {
  const format = accept === undefined ? [] : [uintOption(wireOption.accept, accept)];
  return peer.exchange({ code: wireCode.get, options: [...pathOptions(path), ...format] });
}

/** The text of a resource; undefined when it cannot be read. */
export async function readText(client: RegisteredClient, path: string): Promise<string | undefined> {
  const response = await read(client, path, wireFormat.text);
  return response?.code === wireCode.content ? textOf(response) : undefined;
}

export function textOf(response: WireMessage | undefined): string {
  return response === undefined ? "" : new TextDecoder().decode(response.payload);
}

/** Write (Replace) of a resource as text. */
export function write({ peer }: RegisteredClient, path: string, value: string): Promise<WireMessage | undefined> {
  const options = [...pathOptions(path), uintOption(wireOption.contentFormat, wireFormat.text)];
  return peer.exchange({ code: wireCode.put, options, payload: new TextEncoder().encode(value) });
}

/** Write of an instance: POST updates a part of it, PUT replaces it. */
export function writeTlv(
  { peer }: RegisteredClient,
  path: string,
  payload: Uint8Array,
  how: "update" | "replace",
): Promise<WireMessage | undefined> {
  const code = how === "update" ? wireCode.post : wireCode.put;
  return peer.exchange({ code, options: [...pathOptions(path), uintOption(wireOption.contentFormat, wireFormat.tlv)], payload });
}

export function execute({ peer }: RegisteredClient, path: string): Promise<WireMessage | undefined> {
  return peer.exchange({ code: wireCode.post, options: pathOptions(path) });
}

export function writeAttributes({ peer }: RegisteredClient, path: string, ...queries: readonly string[]): Promise<WireMessage | undefined> {
  return peer.exchange({ code: wireCode.put, options: [...pathOptions(path), ...queryOptions(...queries)] });
}

/** The links below a path; empty when the client refuses. */
export async function discover(stage: Stage, client: RegisteredClient, path: string): Promise<ReturnType<typeof readLinks>> {
  const response = await read(client, path, wireFormat.linkFormat);
  expectCode(stage, `2.05 to Discover ${path}`, response, wireCode.content);
  return response?.code === wireCode.content ? readLinks(response.payload) : new Map();
}

export async function expectRead(
  stage: Stage,
  client: RegisteredClient,
  path: string,
  accept: number,
): Promise<WireMessage & { readonly readable: boolean }> {
  const response = await read(client, path, accept);
  expectCode(stage, `2.05 to Read ${path}`, response, wireCode.content);
  const format = response === undefined ? undefined : uintValue(response, wireOption.contentFormat);
  stage.check(`the answer for ${path} is in format ${accept}`, format === accept, String(format));
  const empty = { type: 2, code: 0, messageId: 0, token: new Uint8Array(), options: [], payload: new Uint8Array() };
  return { ...(response ?? empty), readable: response?.code === wireCode.content && format === accept };
}

/** Ends the case where the client refuses a format that LwM2M 1.1 leaves optional. */
export function requireFormat(response: WireMessage | undefined, format: number): void {
  if (response?.code === wireCode.notAcceptable || response?.code === wireCode.unsupportedContentFormat)
    throw new NotApplicable(`the client does not support format ${format}: ${codeText(response.code)}`);
}

export async function expectUpdate(
  stage: ClientStage,
  text: string,
  fits: (queries: readonly string[]) => boolean,
  withinMs = updateWithinMs,
): Promise<Contact | undefined> {
  const update = await stage.server.contact(({ kind, message }) => kind === "update" && fits(queriesOf(message)), withinMs);
  stage.check(text, update !== undefined, "no such Update");
  return update;
}

/** Writes the lifetime and sees the Update that tells it. */
export async function expectLifetime(stage: ClientStage, client: RegisteredClient, seconds: string): Promise<void> {
  expectCode(stage, `2.04 to the Write of ${client.account}/1 = ${seconds}`, await write(client, `${client.account}/1`, seconds), 0x44);
  await expectUpdate(stage, `an Update with lt=${seconds} follows`, (queries) => queries.includes(`lt=${seconds}`));
}

export function queriesOf(message: WireMessage): readonly string[] {
  return textValues(message, wireOption.uriQuery);
}
