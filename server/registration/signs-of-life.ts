/**
 * Whatever a device asks of this server shows that it is awake (LwM2M Core 1.1 §6.5): a package it fetches, a Send that cannot be read. The
 * registration interface and Sends that were taken tell of themselves.
 */
import type { IncomingRequest, OutgoingResponse, RequestHandler } from "@lwm2m/protocol/coap/message";
import type { RegistrationService } from "./registration-service.ts";

/** The handler, with a note of each answer that has left for a registered device. */
export function noticingDevices(
  registrations: Pick<RegistrationService, "endpointAt" | "noteHeard">,
  handle: RequestHandler,
): RequestHandler {
  const noticed = (request: IncomingRequest, response: OutgoingResponse): OutgoingResponse => {
    const endpoint = request.path[0] === "rd" ? undefined : registrations.endpointAt(request.peer.address);
    if (endpoint === undefined) return response;
    return {
      ...response,
      afterSent() {
        response.afterSent?.();
        registrations.noteHeard(endpoint);
      },
    };
  };
  return (request) => {
    const response = handle(request);
    return response instanceof Promise ? response.then((answer) => noticed(request, answer)) : noticed(request, response);
  };
}
