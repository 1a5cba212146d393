import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { Done, Refusal } from "./tree/outcome.ts";

export function answer(outcome: Done | Refusal, success: ResponseCode = ResponseCode.changed): OutgoingResponse {
  return outcome.ok ? { code: success } : refused(outcome);
}

/** The reason in words, for whoever reads a trace (RFC 7252 §5.5.2). */
export function refused(refusal: Refusal): OutgoingResponse {
  return { code: refusal.code, payload: new TextEncoder().encode(refusal.detail) };
}
