/** What is accepted of devices although the specifications do not allow it: told for the device, or refused where conformance is tested. */

/** Where the deviation came in. */
export type DeviceDoor = "register" | "update" | "answer" | "notify" | "send" | "bootstrap";

export interface Leniency {
  /** Refuses what is otherwise tolerated. */
  readonly strict: boolean;
  /** `codes`: what was needed to take one message, by stable names. */
  note(endpoint: string, door: DeviceDoor, codes: readonly string[]): void;
}
