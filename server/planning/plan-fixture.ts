/** Builders for tests of the planner. */
import { formatPath, parsePath } from "@lwm2m/protocol/lwm2m/path";
import { pathOptionBytes } from "./exchange-cost.ts";
import type { DeviceAbilities, MergedForm, Role, Waiting } from "./waiting.ts";
import type { WakeUpPlan } from "./wake-up-plan.ts";

/** Bytes. */
const usualAnswer = 20;
const usualValue = 6;

/** `answer`: bytes of the answer. */
export function aRead(id: string, path: string, answer = usualAnswer): Waiting {
  const parsed = parsePath(path);
  const load = { requestOptions: pathOptionBytes(parsed) + 3, requestBody: 0, responseBody: answer };
  return { id, priority: 5, role: "looks", touches: [parsed], asks: { kind: "read", paths: [parsed] }, alone: false, load };
}

/** `text`: its value, where that matters. */
export function aWrite(id: string, path: string, text?: string): Waiting {
  const parsed = parsePath(path);
  const load = { requestOptions: pathOptionBytes(parsed) + 3, requestBody: path.length + usualValue + 10, responseBody: 0 };
  const asks = { kind: "write", values: [{ path: parsed, bytes: usualValue, ...(text === undefined ? {} : { text }) }] } as const;
  return { id, priority: 5, role: "changes", touches: [parsed], asks, alone: false, load };
}

export function aSingle(id: string, path: string, role: Role): Waiting {
  return { ...aRead(id, path), role, asks: { kind: "other" } };
}

export interface DeviceFields extends Partial<DeviceAbilities> {
  /** Bytes of any whole instance or object; without it nobody knows. */
  readonly whole?: number;
  /** Bytes of an answer by path, where it is not the usual. */
  readonly answers?: ReadonlyMap<string, number>;
}

/** LwM2M 1.1, awake, with every form. */
export function aDevice({ whole, answers, ...fields }: DeviceFields = {}): DeviceAbilities {
  return {
    forms: new Set<MergedForm>(["read", "readComposite", "writeInstance", "writeComposite"]),
    mostTogether: 16,
    blockSizeBytes: 1_024,
    roundTripMs: 100,
    sizes: {
      likely: (path) => answers?.get(formatPath(path)) ?? (path.resourceId === undefined ? 900 : usualAnswer),
      atMost: () => whole,
    },
    ...fields,
  };
}

/** A line for each exchange: form, operations, and what a merged request names. */
export function planned({ exchanges }: WakeUpPlan): readonly string[] {
  return exchanges.map(({ form, members, paths }) => {
    const named = paths.length === 0 ? "" : `: ${paths.map(formatPath).join(" ")}`;
    return `${form} ${members.map(({ id }) => id).join(" ")}${named}`;
  });
}
