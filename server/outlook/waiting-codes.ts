/** What a device or an operation can wait for: a closed list, each with its sentence. */

export const waitingTexts = {
  claim: "The device is in quarantine: somebody has to claim it.",
  registration: "The device is not registered: it has to register.",
  credential: "The credential of the device was removed or replaced: it has to come back with one that is valid.",
  connection: "The secured connection of the device is gone, and the server makes none: the device has to come back.",
  "other-process": "The device is at home at another process of this store, which alone can reach it.",
  address: "Another device has registered from its address since: it has to say where it is now.",
  "wake-up": "The device sleeps: it has to wake up.",
  answer: "A request is on its way or with the device: it has to answer.",
  patience: "The device has asked to be left alone for a while: that time has to pass.",
  "next-wake-up": "The device is awake, but what is left of this wake-up, in time or bytes, is too little: it goes in a later one.",
  turn: "The device is awake: what is before it has to be answered, then it goes.",
  "not-before": "It may not be sent before the time that was given for it.",
  observation: "An observation waits to be established: the device has to grant it.",
  update: "A firmware update is under way: the device has to fetch, install or report.",
  nothing: "Nothing waits for the device.",
} as const;

export type WaitingCode = keyof typeof waitingTexts;

/** What comes next, as far as it can be foretold. */
export const nextTexts = {
  claim: "somebody claims the device",
  registration: "the device registers",
  contact: "the device is expected to be heard from",
  "registration-expiry": "the registration ends, unless the device updates it",
  sleep: "the device is taken for asleep, unless it is heard from",
  send: "the request may be sent",
  "give-up": "the request is repeated or given up, unless the device answers",
  "operation-expiry": "the operation expires",
  "update-step": "the update takes its next step",
} as const;

export type NextCode = keyof typeof nextTexts;

export interface NextStep {
  readonly what: NextCode;
  /** Epoch milliseconds; null: nobody knows when, or at any moment. */
  readonly at: number | null;
}
