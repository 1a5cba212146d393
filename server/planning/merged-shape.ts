/** How several operations go in one request (LwM2M Core 1.1 §6.3.1, §6.3.3, §6.3.8, §6.3.9). Pure. */
import { contains, formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { type Cost, costOf, formatOptionBytes, pathListBytes, pathOptionBytes, valueListBytes, weightOf } from "./exchange-cost.ts";
import type { DeviceAbilities, Load, MergedForm, SizedValue, Waiting } from "./waiting.ts";

export interface Shape {
  readonly form: MergedForm;
  /** What the request names: one path of `read` and `writeInstance`. */
  readonly paths: readonly Lwm2mPath[];
  readonly cost: Cost;
}

/** The cheapest of those the device takes; undefined where there is none, or it would need more than a block each way. */
export function findShape(together: readonly Waiting[], device: DeviceAbilities): Shape | undefined {
  if (together.length > device.mostTogether) return undefined;
  const shapes = shapesOf(together, device);
  return shapes.sort((a, b) => weightOf(a.cost) - weightOf(b.cost))[0];
}

function shapesOf(together: readonly Waiting[], device: DeviceAbilities): Shape[] {
  const read: Lwm2mPath[] = [];
  const written: SizedValue[] = [];
  for (const { asks } of together) {
    if (asks.kind === "other") return [];
    if (asks.kind === "read") read.push(...asks.paths);
    else written.push(...asks.values.filter(({ path }) => !written.some((other) => formatPath(other.path) === formatPath(path))));
  }
  if (read.length > 0 && written.length > 0) return [];
  return written.length > 0 ? writeShapes(written, device) : readShapes(withoutCovered(read), device);
}

function readShapes(paths: readonly Lwm2mPath[], device: DeviceAbilities): Shape[] {
  const { sizes } = device;
  const answer = paths.reduce((sum, path) => sum + sizes.likely(path), 0);
  const [only] = paths;
  if (only === undefined || paths.length > device.mostTogether) return [];
  // One answer for all of them, however large: each would have brought it.
  if (paths.length === 1) return device.forms.has("read") ? [readOf(only, answer, device)] : [];
  const shapes: Shape[] = [];
  const parent = device.forms.has("read") ? commonParent(paths) : undefined;
  const whole = parent === undefined ? undefined : sizes.atMost(parent);
  if (parent !== undefined && whole !== undefined && whole <= device.blockSizeBytes) shapes.push(readOf(parent, whole, device));
  const list = pathListBytes(paths);
  if (device.forms.has("readComposite") && list <= device.blockSizeBytes && answer <= device.blockSizeBytes) {
    shapes.push({
      form: "readComposite",
      paths,
      cost: costOf({ requestOptions: 2 * formatOptionBytes, requestBody: list, responseBody: answer }, device),
    });
  }
  return shapes;
}

function readOf(path: Lwm2mPath, answer: number, device: DeviceAbilities): Shape {
  const load: Load = { requestOptions: pathOptionBytes(path) + formatOptionBytes, requestBody: 0, responseBody: answer };
  return { form: "read", paths: [path], cost: costOf(load, device) };
}

function writeShapes(values: readonly SizedValue[], device: DeviceAbilities): Shape[] {
  const body = valueListBytes(values);
  if (values.length > device.mostTogether || body > device.blockSizeBytes) return [];
  const paths = values.map(({ path }) => path);
  const instance = instanceOfAll(paths);
  const shapes: Shape[] = [];
  if (instance !== undefined && device.forms.has("writeInstance")) {
    const load = { requestOptions: pathOptionBytes(instance) + formatOptionBytes, requestBody: body, responseBody: 0 };
    shapes.push({ form: "writeInstance", paths: [instance], cost: costOf(load, device) });
  }
  // An update of the instance every version knows, so it stands before.
  if (shapes.length === 0 && device.forms.has("writeComposite")) {
    shapes.push({
      form: "writeComposite",
      paths,
      cost: costOf({ requestOptions: formatOptionBytes, requestBody: body, responseBody: 0 }, device),
    });
  }
  return shapes;
}

/** Each once, and none that another names already. */
export function withoutCovered(paths: readonly Lwm2mPath[]): readonly Lwm2mPath[] {
  const kept: Lwm2mPath[] = [];
  for (const path of paths) {
    if (kept.some((other) => contains(other, path))) continue;
    for (let index = kept.length - 1; index >= 0; index--) {
      const other = kept[index];
      if (other !== undefined && contains(path, other)) kept.splice(index, 1);
    }
    kept.push(path);
  }
  return kept;
}

function commonParent(paths: readonly Lwm2mPath[]): Lwm2mPath | undefined {
  const instance = instanceOfAll(paths);
  if (instance !== undefined) return instance;
  const [first] = paths;
  return first !== undefined && paths.every(({ objectId }) => objectId === first.objectId) ? { objectId: first.objectId } : undefined;
}

function instanceOfAll(paths: readonly Lwm2mPath[]): Lwm2mPath | undefined {
  const [first] = paths;
  if (first?.instanceId === undefined) return undefined;
  const instance: Lwm2mPath = { objectId: first.objectId, instanceId: first.instanceId };
  return paths.every((path) => contains(instance, path)) ? instance : undefined;
}
