import { ProtocolError } from "@lwm2m/protocol/protocol-error";

/** A definition file that is not what the OMA schemas ask for; the message is its first fault: which object, which resource, what was got. */
export class DdfFormatError extends ProtocolError {
  readonly code: DdfFormatErrorCode;
  /** In the order of the file, at least one; the first 20. */
  readonly faults: readonly DdfFault[];

  constructor(code: DdfFormatErrorCode, faults: string | readonly [DdfFault, ...DdfFault[]]) {
    const all = typeof faults === "string" ? ([{ detail: faults }] as const) : faults;
    super(all[0].detail);
    this.code = code;
    this.faults = all.slice(0, shownFaults);
  }
}

/** `limit`: larger than this parser reads; `xml`: not well-formed, or with a DOCTYPE; `definition`: well-formed, but no object definition. */
export type DdfFormatErrorCode = "limit" | "xml" | "definition";

export interface DdfFault {
  readonly detail: string;
  /** Where its element begins, counted from 1; absent where the file as a whole is at fault. */
  readonly line?: number;
  /** The element: `/LWM2M/Object[1]/Resources/Item[2]/Type`. */
  readonly path?: string;
}

/** More faults than these help nobody. */
const shownFaults = 20;
