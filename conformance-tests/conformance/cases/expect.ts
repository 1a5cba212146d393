/** What cases of every role look at. */
import type { Stage } from "../case.ts";
import { codeText, textOption, type WireMessage, type WireOption, wireOption } from "../wire-message.ts";

export function expectCode(stage: Stage, text: string, response: WireMessage | undefined, code: number): void {
  stage.check(text, response?.code === code, response === undefined ? "no answer" : codeText(response.code));
}

export function describe(message: WireMessage | undefined): string {
  return message === undefined ? "no answer" : `${["CON", "NON", "ACK", "RST"][message.type]} ${codeText(message.code)}`;
}

/** `/3/0` as Uri-Path options. */
export function pathOptions(path: string): WireOption[] {
  return path
    .split("/")
    .filter((segment) => segment !== "")
    .map((segment) => textOption(wireOption.uriPath, segment));
}

export function queryOptions(...queries: readonly string[]): WireOption[] {
  return queries.map((query) => textOption(wireOption.uriQuery, query));
}

export function sameToken({ token }: WireMessage): (message: WireMessage) => boolean {
  return (message) => message.code !== 0 && Buffer.from(message.token).equals(token);
}

export function sameId({ messageId }: WireMessage): (message: WireMessage) => boolean {
  return (message) => message.messageId === messageId;
}

/** Code, options and payload: what a repeated request must get again. */
export function sameAnswer(first: WireMessage | undefined, second: WireMessage | undefined): boolean {
  const text = ({ code, options, payload }: WireMessage): string =>
    JSON.stringify([code, options.map(({ number, value }) => [number, [...value]]), [...payload]]);
  return first !== undefined && second !== undefined && text(first) === text(second);
}
