/** What happened at the doors devices come in by, since the server started: numbers for an operator. */
import type { Route } from "../http/route.ts";

export interface DoorNumbers {
  readonly door: string;
  readonly port: number;
  readonly counters: { readonly [name: string]: number };
}

export interface AllNumbers {
  readonly doors: readonly DoorNumbers[];
  /** CoAP messages of each plain door and its secured side together. */
  readonly messages: readonly DoorNumbers[];
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
      summary:
        "The doors devices come in by: their ports, and what happened there since the server started. `doors`: the secured ones; `messages`: CoAP, of a plain door and its secured one together (refusedRate: told to come back, by the limits of the door; backOffs: devices that asked to be left alone)",
      replies: { 200: { description: "The doors", schema: doorsSchema } },
      async handle() {
        const { doors, messages, identityMismatches, refusedDevices, registrations } = numbers();
        const body = {
          doors: doors.map((door) => ({ ...door, counters: { ...door.counters } })),
          messages: messages.map((door) => ({ ...door, counters: { ...door.counters } })),
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

const listOf = (...names: readonly string[]) =>
  ({
    type: "array",
    items: {
      type: "object",
      properties: { door: { enum: names }, port: { type: "integer" }, counters: countsSchema },
      required: ["door", "port", "counters"],
    },
  }) as const;

const doorsSchema = {
  type: "object",
  properties: {
    doors: listOf("coaps", "bootstrap-coaps"),
    messages: listOf("coap", "bootstrap-coap"),
    identityMismatches: countsSchema,
    refusedDevices: countsSchema,
    registrations: countsSchema,
  },
  required: ["doors", "messages", "identityMismatches"],
} as const;
