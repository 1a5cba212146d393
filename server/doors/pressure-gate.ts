/**
 * Back-pressure towards devices: while the store is slow, Sends are put off; while it does next to nothing, whatever would write.
 * Answered at once and with a time to come back at (5.03 with Max-Age, RFC 7252 §5.9.3.4), so that no queue grows and no device
 * repeats into it. Notifications, packages and what only reads go on.
 */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest, RequestHandler } from "@lwm2m/protocol/coap/message";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Pressure, PressureLevel } from "../storage/store-pressure.ts";

/** Max-Age, seconds: spread, or all would come back at once. */
const sendRetry = { from: 30, to: 300 } as const;
const registrationRetry = { from: 30, to: 60 } as const;

export interface PressureGate {
  /** The handler behind the gate. */
  guard(handle: RequestHandler): RequestHandler;
  /** Requests put off since the start. */
  readonly putOff: { readonly sends: number; readonly registrations: number };
}

export function openPressureGate(pressure: () => Pick<Pressure, "level">, random: Random): PressureGate {
  const putOff = { sends: 0, registrations: 0 };
  const refuse = (what: keyof typeof putOff, { from, to }: { readonly from: number; readonly to: number }) => {
    putOff[what] += 1;
    return { code: ResponseCode.serviceUnavailable, maxAgeSeconds: Math.floor(from + random.fraction() * (to - from + 1)) };
  };
  return {
    putOff,
    guard: (handle) => (request) => {
      const { level } = pressure();
      if (isSend(request) && level !== "normal") return refuse("sends", sendRetry);
      if (isRegistration(request, level)) return refuse("registrations", registrationRetry);
      return handle(request);
    },
  };
}

/** `POST /dp` (LwM2M Core 1.1 §6.4.6). */
function isSend({ method, path }: IncomingRequest): boolean {
  return method === Method.post && path[0] === "dp";
}

/** Register and Update; a De-register takes load away, and is not repeated by the device. */
function isRegistration({ method, path }: IncomingRequest, level: PressureLevel): boolean {
  return level === "refusing" && method === Method.post && path[0] === "rd";
}
