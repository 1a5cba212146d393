/** Leniency with a record: what a strict run refuses, a field run accepts and reports. */
import { Lwm2mFormatError, type Lwm2mFormatErrorCode } from "./format-error.ts";
import type { DecodeContext, PayloadTolerance } from "./payload-contract.ts";

export type ToleranceSwitch = Pick<DecodeContext, "strict" | "onTolerance">;

export function tolerate(context: ToleranceSwitch, tolerance: PayloadTolerance, code: Lwm2mFormatErrorCode = "value"): void {
  if (context.strict === true) throw new Lwm2mFormatError(code, `not accepted in strict mode: ${tolerance}`);
  context.onTolerance?.(tolerance);
}
