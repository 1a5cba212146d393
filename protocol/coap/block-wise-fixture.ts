import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import type { RequestOutcome } from "./message.ts";

export const reasonOf = (outcome: RequestOutcome | undefined): string | undefined => (outcome?.ok === false ? outcome.reason : undefined);
export const bodyOf = (outcome: RequestOutcome | undefined): string | undefined =>
  outcome?.ok ? Buffer.from(outcome.response.payload).toString("hex") : undefined;
export const hexOf = (bytes: number): string => "00".repeat(bytes);

/** The answer to a request the endpoint under test sent, as hex: 2.05 and the like, piggybacked. */
export function answerTo(request: string, code: string, rest: string): string {
  return `68${code}${messageIdOf(request)}${tokenOf(request)}${rest}`;
}
