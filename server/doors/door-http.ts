/** What happened at the doors devices come in by, since the server started: numbers for an operator. */
import type { Route } from "../http/route.ts";

export interface DoorNumbers {
  readonly door: string;
  readonly port: number;
  readonly counters: { readonly [name: string]: number };
}

export interface AllNumbers {
  readonly doors: readonly DoorNumbers[];
  /** Who came under a name that is not its own, by why. */
  readonly identityMismatches: { readonly [reason: string]: number };
  /** Who was refused because nobody expects it, by why. */
  readonly refusedDevices?: { readonly [reason: string]: number };
  /** Registers that were let in, and that were told to come back. */
  readonly registrations?: { readonly [outcome: string]: number };
}

export function doorRoutes(numbers: () => AllNumbers): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/doors",
      name: "getDoors",
      summary: "The secured doors devices come in by: their ports, and what happened there since the server started",
      replies: { 200: { description: "The doors", schema: doorsSchema } },
      async handle() {
        const { doors, identityMismatches, refusedDevices, registrations } = numbers();
        const body = {
          doors: doors.map((door) => ({ ...door, counters: { ...door.counters } })),
          identityMismatches: { ...identityMismatches },
          ...(refusedDevices === undefined ? {} : { refusedDevices: { ...refusedDevices } }),
          ...(registrations === undefined ? {} : { registrations: { ...registrations } }),
        };
        return { status: 200, body };
      },
    },
  ];
}

const countsSchema = { type: "object", additionalProperties: { type: "integer" } } as const;

const doorsSchema = {
  type: "object",
  properties: {
    doors: {
      type: "array",
      items: {
        type: "object",
        properties: {
          door: { enum: ["coaps", "bootstrap-coaps"] },
          port: { type: "integer" },
          counters: countsSchema,
        },
        required: ["door", "port", "counters"],
      },
    },
    identityMismatches: countsSchema,
    refusedDevices: countsSchema,
    registrations: countsSchema,
  },
  required: ["doors", "identityMismatches"],
} as const;
