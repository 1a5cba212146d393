import { formatCode, isSuccess, Method } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";

/** A request and its answer in one line; the diagnostic payload of a refusal is its reason (RFC 7252 §5.5.2). */
export function servedLine(request: IncomingRequest, response: OutgoingResponse): string {
  const method = Object.entries(Method).find(([, code]) => code === request.method)?.[0] ?? "";
  const query = request.query.length === 0 ? "" : `?${request.query.join("&")}`;
  const { code, payload } = response;
  const reason = isSuccess(code) || !(payload instanceof Uint8Array) ? "" : `, ${new TextDecoder().decode(payload)}`;
  return `${method.toUpperCase()} /${request.path.join("/")}${query}: ${formatCode(code)}${reason}`;
}
