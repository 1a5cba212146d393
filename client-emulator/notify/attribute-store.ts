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
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { Lwm2mVersion } from "../objects/object-versions.ts";
import type { ServerSettings } from "../objects/server-object.ts";
import { locate } from "../tree/access.ts";
import type { ObjectTree } from "../tree/object-tree.ts";
import { type Done, done, type Refusal, refuse } from "../tree/outcome.ts";
import type { Conditions } from "./notification-machine.ts";

/** `con` is of 1.2 and taken all the same; what this client would not act on is refused. */
const knownAttributes: Readonly<Record<Lwm2mVersion, ReadonlySet<string>>> = {
  "1.0": new Set(["pmin", "pmax", "gt", "lt", "st"]),
  "1.1": new Set(["pmin", "pmax", "gt", "lt", "st", "epmin", "epmax", "con"]),
};

export class AttributeStore {
  readonly #tree: ObjectTree;
  readonly #known: ReadonlySet<string>;
  readonly #attached = new Map<string, NotificationAttributes>();

  constructor(tree: ObjectTree, version: Lwm2mVersion) {
    this.#tree = tree;
    this.#known = knownAttributes[version];
  }

  write(path: Lwm2mPath, query: readonly string[]): Done | Refusal {
    const target = locate(this.#tree, path);
    if (!target.ok) return target;
    try {
      // What was written before counts as well: together they must make sense (LwM2M Core 1.1 §5.1.2).
      const changes = parseAttributeQuery(query);
      const unknown = Object.keys(changes).find((name) => !this.#known.has(name));
      if (unknown !== undefined) return refuse(ResponseCode.badRequest, `attribute ${unknown} is not supported`);
      const merged = mergeAttributes(this.#at(path), changes);
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

  inherited(path: Lwm2mPath): readonly LinkAttribute[] {
    return linkAttributes(this.#inheritedBy(path));
  }

  /** The periods of a composite observation are those that suit all its targets: the longest minimum, the shortest maximum. */
  conditionsOf(target: readonly CompositePath[], settings: ServerSettings): Conditions {
    const [first, ...others] = target.map((path) => this.#conditionsAt(path, settings));
    if (first === undefined) return { ...this.#conditionsAt("/", settings), pmaxMs: undefined };
    if (others.length === 0) return first;
    const all = [first, ...others];
    const maxima = all.flatMap(({ pmaxMs }) => pmaxMs ?? []);
    return {
      pminMs: Math.max(...all.map(({ pminMs }) => pminMs)),
      pmaxMs: maxima.length === 0 ? undefined : Math.min(...maxima),
      greaterThan: undefined,
      lessThan: undefined,
      step: undefined,
    };
  }

  /** Confirmable if any part asks for it, non-confirmable if none does and one says so (LwM2M Core 1.2 §5.1.2). */
  confirms(target: readonly CompositePath[]): boolean | undefined {
    const wishes = target.flatMap((path) => this.#inheritedBy(path).con ?? []);
    return wishes.length === 0 ? undefined : wishes.includes(1);
  }

  #conditionsAt(path: CompositePath, settings: ServerSettings): Conditions {
    const inherited = this.#inheritedBy(path);
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

  #inheritedBy(path: CompositePath): NotificationAttributes {
    const ids = path === "/" ? [] : pathIds(path);
    return inheritAttributes(ids.map((_, index) => this.#at(pathOf(ids.slice(0, ids.length - index)))));
  }

  #at(path: Lwm2mPath): NotificationAttributes {
    return this.#attached.get(formatPath(path)) ?? {};
  }
}
