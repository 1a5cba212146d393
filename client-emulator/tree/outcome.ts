import type { ResponseCode } from "@lwm2m/protocol/coap/codes";

/** Why an operation was not done: the code to answer and a sentence for the log. */
export interface Refusal {
  readonly ok: false;
  readonly code: ResponseCode;
  readonly detail: string;
}

export interface Done {
  readonly ok: true;
}

export const done: Done = { ok: true };

export function refuse(code: ResponseCode, detail: string): Refusal {
  return { ok: false, code, detail };
}
