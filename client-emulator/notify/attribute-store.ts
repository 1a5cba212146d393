/** Notification attributes attached to paths by Write-Attributes, and what holds at a path with all it inherits (LwM2M Core 1.1 §5.1.2). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import {
  findAttributeProblem,
  inheritAttributes,
  linkAttributes,
  mergeAttributes,
  type NotificationAttributes,
  parseAttributeQuery,
} from "@lwm2m/protocol/lwm2m/attributes";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import type { LinkAttribute } from "@lwm2m/protocol/lwm2m/link-format";
import { formatPath, type Lwm2mPath, levelOf, parsePath, pathIds, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { ServerSettings } from "../objects/server-object.ts";
import { locate } from "../tree/access.ts";
import type { ObjectTree } from "../tree/object-tree.ts";
import { type Done, done, type Refusal, refuse } from "../tree/outcome.ts";
import type { Conditions } from "./notification-machine.ts";

export class AttributeStore {
  readonly #tree: ObjectTree;
  readonly #attached = new Map<string, NotificationAttributes>();

  constructor(tree: ObjectTree) {
    this.#tree = tree;
  }

  write(path: Lwm2mPath, query: readonly string[]): Done | Refusal {
    const target = locate(this.#tree, path);
    if (!target.ok) return target;
    try {
      // What was written before counts as well: together they must make sense (LwM2M Core 1.1 §5.1.2).
      const merged = mergeAttributes(this.#at(path), parseAttributeQuery(query));
      const problem = findAttributeProblem(merged, levelOf(path));
      if (problem !== undefined) return refuse(ResponseCode.badRequest, problem);
      this.#attached.set(formatPath(path), merged);
      return done;
    } catch (error) {
      if (!(error instanceof Lwm2mFormatError)) throw error;
      return refuse(ResponseCode.badRequest, error.message);
    }
  }

  attached(path: Lwm2mPath): readonly LinkAttribute[] {
    return linkAttributes(this.#at(path));
  }

  conditionsOf(path: Lwm2mPath, settings: ServerSettings): Conditions {
    const ids = pathIds(path);
    const levels = ids.map((_, index) => this.#at(pathOf(ids.slice(0, ids.length - index))));
    const inherited = inheritAttributes(levels);
    const pmax = inherited.pmax ?? settings.defaultMaximumSeconds;
    // Change conditions that contradict each other through inheritance do not hold; the periods do.
    const usable = findAttributeProblem({ ...inherited, pmin: 0, pmax: 0 }) === undefined;
    return {
      pminMs: (inherited.pmin ?? settings.defaultMinimumSeconds) * 1_000,
      pmaxMs: pmax === undefined ? undefined : pmax * 1_000,
      greaterThan: usable ? inherited.gt : undefined,
      lessThan: usable ? inherited.lt : undefined,
      step: usable ? inherited.st : undefined,
    };
  }

  /** An instance that is gone takes its attributes with it. */
  forgetMissing(): void {
    for (const text of this.#attached.keys()) if (!locate(this.#tree, parsePath(text)).ok) this.#attached.delete(text);
  }

  clear(): void {
    this.#attached.clear();
  }

  #at(path: Lwm2mPath): NotificationAttributes {
    return this.#attached.get(formatPath(path)) ?? {};
  }
}
