/**
 * Send (LwM2M Core 1.1 §6.4.6): the device reports its temperatures unasked, at a steady interval. What the server has not acknowledged goes
 * with the next Send, each value with its time.
 */
import { formatCode, isSuccess, Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest, RequestOutcome } from "@lwm2m/protocol/coap/message";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Timer } from "@lwm2m/protocol/ports/clock";
import type { Lwm2mClientOptions } from "../client-options.ts";
import { TemperatureResource, temperatureObjectId } from "../objects/temperature-object.ts";
import { encodeValues } from "../payload-door.ts";
import type { ObjectTree } from "../tree/object-tree.ts";

/** The way to the server. */
export interface SendContact {
  /** `mutesSend`: /1/x/23. */
  settings(): { readonly mutesSend: boolean };
  /** Undefined: there is no registration to send in. */
  send(request: OutgoingRequest): Promise<RequestOutcome | undefined>;
}

type SendOptions = Pick<Lwm2mClientOptions, "clock" | "settings" | "log">;

interface SendParts {
  readonly tree: ObjectTree;
  readonly options: SendOptions;
  readonly contact: SendContact;
}

export interface Sends {
  close(): void;
}

/** What a device keeps of the values that wait; the oldest go first. */
const mostWaiting = 200;

/** `settings.sendIntervalSeconds` 0: never. */
export function openSends(tree: ObjectTree, options: SendOptions, contact: SendContact): Sends {
  const { clock, settings } = options;
  const parts = { tree, options, contact };
  const intervalMs = settings.sendIntervalSeconds * 1_000;
  let timer: Timer | undefined;
  let waiting: readonly PathValue[] = [];
  let underWay = false;
  const due = async (): Promise<void> => {
    if (contact.settings().mutesSend) return;
    waiting = [...waiting, ...sample(tree, clock.now())].slice(-mostWaiting);
    if (underWay || waiting.length === 0) return;
    underWay = true;
    const sent = waiting;
    if (await report(parts, sent)) waiting = waiting.filter((value) => !sent.includes(value));
    underWay = false;
  };
  const arm = (): void => {
    timer = clock.after(intervalMs, () => {
      arm();
      void due();
    });
  };
  if (intervalMs > 0) arm();
  return { close: () => timer?.cancel() };
}

function sample(tree: ObjectTree, timeMs: number): readonly PathValue[] {
  const resourceId = TemperatureResource.value;
  return [...(tree.find(temperatureObjectId)?.instances.keys() ?? [])].flatMap((instanceId) => {
    const value = tree.value(temperatureObjectId, instanceId, resourceId);
    return value === undefined ? [] : [{ path: { objectId: temperatureObjectId, instanceId, resourceId }, value, timeMs }];
  });
}

/** True when the values need not be sent again: the server has them, or does not want them. */
async function report({ tree, options, contact }: SendParts, values: readonly PathValue[]): Promise<boolean> {
  // Only formats with absolute names carry a Send.
  const contentFormat = options.settings.preferredFormat === ContentFormat.senmlJson ? ContentFormat.senmlJson : ContentFormat.senmlCbor;
  const encoded = encodeValues(tree, undefined, values, contentFormat);
  if (!encoded.ok) throw new Error(`the device's own values do not fit a Send: ${encoded.detail}`);
  const outcome = await contact.send({ method: Method.post, path: ["dp"], contentFormat, payload: encoded.bytes });
  if (outcome === undefined) return false;
  options.log?.(`send, ${values.length} values: ${outcome.ok ? formatCode(outcome.response.code) : outcome.reason}`, "event");
  if (!outcome.ok) return false;
  // 4.xx says that the same again would fare no better.
  return isSuccess(outcome.response.code) || outcome.response.code >> 5 === 4;
}
