/** Object 3303, Temperature: sensors the server may create and delete, each with a value on a random walk. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Instance, ObjectTree } from "../tree/object-tree.ts";
import { float, text } from "./values.ts";

export const temperatureObjectId = 3303;

export const TemperatureResource = {
  min: 5601,
  max: 5602,
  minRange: 5603,
  maxRange: 5604,
  resetMinMax: 5605,
  value: 5700,
  units: 5701,
} as const;

/** Degrees Celsius. */
const startValue = 21;
const lowestValue = -20;
const highestValue = 60;
const largestStep = 0.5;

export function addTemperatureObject(tree: ObjectTree, definition: ObjectDefinition, sensors: number): void {
  tree.add(
    definition,
    {
      supported: new Set(Object.values(TemperatureResource)),
      newInstance,
      deletable: true,
      execute: (instanceId) => {
        setValue(tree, instanceId, measured(tree, instanceId, TemperatureResource.value), true);
        return { ok: true };
      },
    },
    new Map(Array.from({ length: sensors }, (_, id) => [id, newInstance()])),
  );
}

/** One step of every sensor's walk. */
export function moveTemperatures(tree: ObjectTree, random: Random): void {
  for (const instanceId of tree.find(temperatureObjectId)?.instances.keys() ?? []) {
    const stepSize = (random.fraction() * 2 - 1) * largestStep;
    const next = Math.min(highestValue, Math.max(lowestValue, measured(tree, instanceId, TemperatureResource.value) + stepSize));
    // A sensor of this kind tells tenths.
    setTemperature(tree, instanceId, Math.round(next * 10) / 10);
  }
}

/** A measurement: the value, and the extremes that follow from it. */
export function setTemperature(tree: ObjectTree, instanceId: number, value: number): void {
  setValue(tree, instanceId, value, false);
}

function setValue(tree: ObjectTree, instanceId: number, value: number, resetExtremes: boolean): void {
  const min = resetExtremes ? value : Math.min(value, measured(tree, instanceId, TemperatureResource.min));
  const max = resetExtremes ? value : Math.max(value, measured(tree, instanceId, TemperatureResource.max));
  tree.set(
    temperatureObjectId,
    instanceId,
    new Map([
      [TemperatureResource.value, float(value)],
      [TemperatureResource.min, float(min)],
      [TemperatureResource.max, float(max)],
    ]),
  );
}

function measured(tree: ObjectTree, instanceId: number, resourceId: number): number {
  const value = tree.value(temperatureObjectId, instanceId, resourceId);
  return value?.type === "float" ? value.value : startValue;
}

function newInstance(): Instance {
  return new Map([
    [TemperatureResource.min, float(startValue)],
    [TemperatureResource.max, float(startValue)],
    [TemperatureResource.minRange, float(lowestValue)],
    [TemperatureResource.maxRange, float(highestValue)],
    [TemperatureResource.value, float(startValue)],
    [TemperatureResource.units, text("Cel")],
  ]);
}
