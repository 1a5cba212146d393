/** Configurations in their JSON form; keys are made up where they are used. */

export function aSecurity(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { serverUri: "coap://192.0.2.1:5683", mode: "noSec", shortServerId: 101, ...fields };
}

export function aServer(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { shortServerId: 101, lifetimeSeconds: 300, ...fields };
}

export function aConfig(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { security: [aSecurity()], servers: [aServer()], ...fields };
}
