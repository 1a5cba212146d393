/**
 * Whatever a device asks of this server shows that it is awake (LwM2M Core 1.1 §6.5): a package it fetches, a Send that cannot be read. The
 * registration interface, and an answer that does something of its own once it has left (a Send that was taken), tell of themselves.
 */
import type { IncomingRequest, OutgoingResponse, RequestHandler } from "@lwm2m/protocol/coap/message";
import type { RegistrationService } from "./registration-service.ts";

/** The handler, with a note of each answer that has left for a registered device. */
export function noticingDevices(
  registrations: Pick<RegistrationService, "endpointAt" | "noteHeard">,
  handle: RequestHandler,
): RequestHandler {
  const noticed = (request: IncomingRequest, response: OutgoingResponse): OutgoingResponse => {
    if (request.path[0] === "rd" || response.afterSent !== undefined) return response;
    const endpoint = registrations.endpointAt(request.peer.address);
    return endpoint === undefined ? response : { ...response, afterSent: () => registrations.noteHeard(endpoint) };
  };
  return (request) => {
    const response = handle(request);
    return response instanceof Promise ? response.then((answer) => noticed(request, answer)) : noticed(request, response);
  };
}
