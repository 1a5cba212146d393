/** Which content format for which client: by its version, by what it advertised (`ct` of its root link) and by what is to be said (LwM2M Core 1.1 §7.4). */
import { ContentFormat } from "../coap/content-formats.ts";
import { unassignedInstanceId } from "./payload-contract.ts";
import type { PathValue } from "./value.ts";

/**
 * What the format is for: `values` under one path (Write, Create, and Accept of Read), `timed` values (Accept of Observe: what a client
 * kept while offline comes with its times), the `paths` of a FETCH, the `patch` of an iPATCH, the `answer` to a FETCH.
 */
export type FormatUse = "values" | "timed" | "paths" | "patch" | "answer" | "timedAnswer";

export interface FormatChoice {
  /** `major.minor` of the client's registration. */
  readonly lwm2mVersion: string;
  /** `ct` of the client's root link; empty when it said nothing. */
  readonly clientFormats: readonly number[];
  /** Default `values`. */
  readonly use?: FormatUse;
  /** What will be written, where that limits the choice; in a patch a node without a value is to be removed. */
  readonly values?: readonly PathValue[];
}

const { text, opaque, cbor, senmlJson, senmlCbor, senmlEtchJson, senmlEtchCbor, tlv, lwm2mJson, lwm2mCbor } = ContentFormat;

/** By what it says of more than one value; the last carry a single one. */
const firstFormats: readonly number[] = [tlv, lwm2mJson, opaque, text];
const laterFormats: readonly number[] = [tlv, senmlCbor, senmlJson, cbor, opaque, text];

/**
 * The best first, then what can be tried when the client refuses it. What it advertised stands before all else; of that LwM2M CBOR is
 * the smallest (a 1.2 client's only: a number without times), then SenML in CBOR. A client that advertised none of ours gets TLV,
 * because every client that reads several values at once reads it, and SenML where TLV cannot name the paths.
 */
export function formatsFor(choice: FormatChoice): readonly number[] {
  const { lwm2mVersion, clientFormats, use = "values", values = [] } = choice;
  if (lwm2mVersion === "1.0") return firstFormats;
  const advertised = preferred(choice).filter((format) => clientFormats.includes(format));
  // Without an identifier TLV leaves the instance out and LwM2M CBOR writes the reserved one; SenML names paths (LwM2M Core 1.2 §7.4.4).
  const unassigned = values.some((node) => node.path.instanceId === unassignedInstanceId);
  if (unassigned) return [...advertised.filter((format) => format === lwm2mCbor), tlv];
  const others = use === "values" || use === "timed" ? laterFormats : preferred(choice).filter((format) => format !== lwm2mCbor);
  return [...new Set([...advertised, ...others])];
}

/** The format of the first attempt. */
export function chooseFormat(choice: FormatChoice): number {
  const [best] = formatsFor(choice);
  if (best === undefined) throw new Error("no format for this use");
  return best;
}

function preferred({ lwm2mVersion, use = "values", values = [] }: FormatChoice): readonly number[] {
  const isFirstMinor = lwm2mVersion === "1.1";
  switch (use) {
    case "values":
    case "answer":
      return isFirstMinor ? [senmlCbor, senmlJson] : [lwm2mCbor, senmlCbor, senmlJson];
    case "timed":
    case "timedAnswer":
      return isFirstMinor ? [senmlCbor, senmlJson] : [senmlCbor, senmlJson, lwm2mCbor];
    case "paths":
      // The ETCH numbers came with 1.2; the records are the same (LwM2M Core 1.2 §7.4.5).
      return isFirstMinor ? [senmlCbor, senmlJson] : [senmlEtchCbor, senmlEtchJson, senmlCbor, senmlJson];
    case "patch":
      if (values.some(({ value }) => value === undefined)) return [senmlEtchCbor, senmlEtchJson];
      return isFirstMinor ? [senmlCbor, senmlJson] : [senmlEtchCbor, senmlEtchJson, lwm2mCbor, senmlCbor, senmlJson];
  }
}
