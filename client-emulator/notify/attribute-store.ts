/** Notification attributes attached to paths, inherited downwards: resource instance over resource over instance over object (LwM2M Core 1.1 §5.1.2). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath, parsePath, pathIds, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { ServerSettings } from "../objects/server-object.ts";
import { locate } from "../tree/access.ts";
import type { LinkAttributes } from "../tree/discover.ts";
import type { ObjectTree } from "../tree/object-tree.ts";
import { type Done, done, type Refusal, refuse } from "../tree/outcome.ts";
import type { Conditions } from "./notification-machine.ts";

export type Attributes = ReadonlyMap<string, number>;
const names = ["pmin", "pmax", "gt", "lt", "st", "epmin", "epmax"];

export class AttributeStore {
  readonly #tree: ObjectTree;
  readonly #attached = new Map<string, Attributes>();
  constructor(tree: ObjectTree) {
    this.#tree = tree;
  }
  write(path: Lwm2mPath, query: readonly string[]): Done | Refusal {
    const target = locate(this.#tree, path);
    if (!target.ok) return target;
    const next = new Map(this.#attached.get(formatPath(path)));
    for (const argument of query) {
      const [name = "", value] = argument.split("=");
      if (!names.includes(name)) return refuse(ResponseCode.badRequest, name);
      if (value === undefined) next.delete(name);
      else if (Number.isNaN(Number(value))) return refuse(ResponseCode.badRequest, name);
      else next.set(name, Number(value));
    }
    this.#attached.set(formatPath(path), next);
    return done;
  }
  attached(path: Lwm2mPath): LinkAttributes {
    return [...(this.#attached.get(formatPath(path)) ?? [])].map(([name, value]) => [name, String(value)] as const);
  }
  conditionsOf(path: Lwm2mPath, settings: ServerSettings): Conditions {
    const ids = pathIds(path);
    const merged = new Map<string, number>();
    for (let length = 1; length <= ids.length; length += 1) {
      for (const [name, value] of this.#attached.get(formatPath(pathOf(ids.slice(0, length)))) ?? []) merged.set(name, value);
    }
    const pmax = merged.get("pmax") ?? settings.defaultMaximumSeconds;
    return {
      pminMs: (merged.get("pmin") ?? settings.defaultMinimumSeconds) * 1_000,
      pmaxMs: pmax === undefined ? undefined : pmax * 1_000,
      greaterThan: merged.get("gt"),
      lessThan: merged.get("lt"),
      step: merged.get("st"),
    };
  }
  forgetMissing(): void {
    for (const text of this.#attached.keys()) if (!locate(this.#tree, parsePath(text)).ok) this.#attached.delete(text);
  }
  clear(): void {
    this.#attached.clear();
  }
}
