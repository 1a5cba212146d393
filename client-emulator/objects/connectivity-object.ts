/** Object 4, Connectivity Monitoring: an NB-IoT bearer whose signal wanders. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import type { Random } from "@lwm2m/protocol/ports/random";
import { type ObjectTree, several } from "../tree/object-tree.ts";
import { integer, integerValue, textValue } from "./values.ts";

export const connectivityObjectId = 4;

const signalStrengthResource = 2;
const linkQualityResource = 3;
/** Network bearer 7: NB-IoT (object 4, resource 0). */
const bearerNbIot = 7;
/** dBm, within what NB-IoT modems report. */
const weakestSignal = -120;
const strongestSignal = -60;

export function addConnectivityObject(tree: ObjectTree, definition: ObjectDefinition, localAddress: string): void {
  const contents = new Map([
    [0, integer(bearerNbIot)],
    [1, several([integerValue(bearerNbIot)])],
    [signalStrengthResource, integer(-92)],
    [linkQualityResource, integer(70)],
    [4, several([textValue(localAddress)])],
    [7, several([textValue("iot.example")])],
    [8, integer(2_557)],
    [9, integer(1)],
    [10, integer(1)],
  ]);
  tree.add(definition, { supported: new Set(contents.keys()) }, new Map([[0, new Map(contents)]]));
}

/** One step of the random walk, at most 2 dB. */
export function moveSignal(tree: ObjectTree, random: Random): void {
  const current = tree.value(connectivityObjectId, 0, signalStrengthResource);
  if (current?.type !== "integer") return;
  const next = Math.min(strongestSignal, Math.max(weakestSignal, Number(current.value) + Math.round((random.fraction() - 0.5) * 4)));
  const quality = Math.round(((next - weakestSignal) / (strongestSignal - weakestSignal)) * 100);
  tree.set(
    connectivityObjectId,
    0,
    new Map([
      [signalStrengthResource, integer(next)],
      [linkQualityResource, integer(quality)],
    ]),
  );
}
