/**
 * Own object models: uploaded while the server runs, durable before the answer, in force for every device from then on. They are kept
 * in memory as a whole, and the registry the other features hold looks into that memory at each question.
 */
import { TextDecoder } from "node:util";
import { type DdfFault, DdfFormatError } from "@lwm2m/object-registry/ddf-format-error";
import { type DdfReading, readDdf } from "@lwm2m/object-registry/ddf-parser";
import type { ObjectDefinition, ObjectRegistry } from "@lwm2m/object-registry/definition";
import { compareVersions } from "@lwm2m/object-registry/object-version";
import { composeRegistries, registryOf } from "@lwm2m/object-registry/registry";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Store } from "../storage/store.ts";
import { definitionOf, type ModelSource, modelKey, modelLimits, type StoredModel, storedModel } from "./model.ts";
import { ModelStore } from "./model-store.ts";
import { nameWarnings } from "./name-changes.ts";

export interface ModelServiceDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly catalogue: ObjectRegistry;
  readonly limits?: { readonly versions: number; readonly resources: number };
}

export interface ModelChange {
  readonly model: KnownModel;
  readonly change: "added" | "replaced";
}

export type UploadOutcome =
  | { readonly ok: true; readonly changes: readonly ModelChange[]; readonly warnings: readonly DdfFault[] }
  | { readonly ok: false; readonly reason: "invalid"; readonly faults: readonly DdfFault[] }
  | { readonly ok: false; readonly reason: "in-catalogue"; readonly models: readonly ObjectDefinition[] }
  | { readonly ok: false; readonly reason: "full"; readonly detail: string };

export type DeleteOutcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "unknown" | "in-catalogue" }
  | { readonly ok: false; readonly reason: "in-use"; readonly devices: number };

/** How many registered devices are read with this version. */
export type CountUsers = (objectId: number, version: string) => Promise<number>;

export interface KnownModel {
  readonly source: ModelSource;
  readonly definition: ObjectDefinition;
  /** Of own models. */
  readonly stored?: StoredModel;
}

export interface ModelQuery {
  readonly objectId?: number;
  readonly source?: ModelSource;
  /** The last one of the page before. */
  readonly after?: { readonly objectId: number; readonly version: string };
  readonly limit: number;
}

/** Reads the own models of earlier runs. */
export async function openModelService(deps: ModelServiceDeps): Promise<ModelService> {
  const service = new ModelService(deps);
  await service.load();
  return service;
}

export class ModelService {
  /** Own models and the catalogue as one; always up to date. */
  readonly registry: ObjectRegistry;
  readonly #deps: ModelServiceDeps;
  readonly #store: ModelStore;
  readonly #limits: NonNullable<ModelServiceDeps["limits"]>;
  #stored = new Map<string, StoredModel>();
  #own = registryOf([]);
  /** Uploads and deletions one after the other: each is judged by what the one before left. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: ModelServiceDeps) {
    this.#deps = deps;
    this.#store = new ModelStore(deps.store);
    this.#limits = deps.limits ?? modelLimits;
    const own: ObjectRegistry = {
      find: (objectId, version) => this.#own.find(objectId, version),
      versionsOf: (objectId) => this.#own.versionsOf(objectId),
      list: () => this.#own.list(),
    };
    this.registry = composeRegistries(own, deps.catalogue);
  }

  async load(): Promise<void> {
    for await (const model of this.#store.all()) this.#stored.set(model._id, model);
    this.#own = registryOf([...this.#stored.values()].map(definitionOf));
  }

  /** What `upload` would say, without doing it. */
  check(file: Uint8Array, actor: string): UploadOutcome {
    return this.#judge(file, actor);
  }

  /** All objects of the file, or none; durable and in force when it resolves. */
  upload(file: Uint8Array, actor: string): Promise<UploadOutcome> {
    return this.#inTurn(async () => {
      const outcome = this.#judge(file, actor);
      if (!outcome.ok) return outcome;
      const models = outcome.changes.map(({ model }) => model.stored).filter((model) => model !== undefined);
      await this.#store.put(models);
      const stored = new Map(this.#stored);
      for (const model of models) stored.set(model._id, model);
      this.#show(stored);
      return outcome;
    });
  }

  /** A device that registers this version while it is being deleted is read as one whose object no model knows. */
  delete(objectId: number, version: string, countUsers: CountUsers): Promise<DeleteOutcome> {
    return this.#inTurn(async () => {
      const key = modelKey(objectId, version);
      if (!this.#stored.has(key)) {
        const known = this.#deps.catalogue.find(objectId, version) !== undefined;
        return { ok: false, reason: known ? "in-catalogue" : "unknown" };
      }
      const devices = await countUsers(objectId, version);
      if (devices > 0) return { ok: false, reason: "in-use", devices };
      await this.#store.delete(key);
      const stored = new Map(this.#stored);
      stored.delete(key);
      this.#show(stored);
      return { ok: true };
    });
  }

  find(objectId: number, version: string): KnownModel | undefined {
    const definition = this.registry.find(objectId, version);
    if (definition === undefined) return undefined;
    const stored = this.#stored.get(modelKey(objectId, version));
    return stored === undefined ? { source: "catalogue", definition } : { source: "own", definition, stored };
  }

  /** By object id, older versions first. */
  page({ objectId, source, after, limit }: ModelQuery): readonly KnownModel[] {
    const ids = objectId === undefined ? this.registry.list().map(({ id }) => id) : [objectId];
    const page: KnownModel[] = [];
    for (const id of ids) {
      if (after !== undefined && id < after.objectId) continue;
      for (const version of this.registry.versionsOf(id)) {
        if (after?.objectId === id && compareVersions(version, after.version) <= 0) continue;
        if (source !== undefined && source !== (this.#stored.has(modelKey(id, version)) ? "own" : "catalogue")) continue;
        const model = this.find(id, version);
        if (model !== undefined) page.push(model);
        if (page.length === limit) return page;
      }
    }
    return page;
  }

  #judge(file: Uint8Array, actor: string): UploadOutcome {
    const reading = readFile(file);
    if (!reading.ok) return { ok: false, reason: "invalid", faults: reading.faults };
    const { definitions, warnings } = reading;
    const stored = (definition: ObjectDefinition): StoredModel | undefined => this.#stored.get(modelKey(definition.id, definition.version));
    const published = definitions.filter(
      (definition) => stored(definition) === undefined && this.#deps.catalogue.find(definition.id, definition.version) !== undefined,
    );
    if (published.length > 0) return { ok: false, reason: "in-catalogue", models: published };
    const now = this.#deps.clock.now();
    const changes = definitions.map((definition): ModelChange => {
      const before = stored(definition);
      const { createdAt, createdBy } = before ?? { createdAt: now, createdBy: actor };
      const model = { ...storedModel(definition, { createdAt, createdBy }), updatedAt: now, updatedBy: actor };
      return { model: { source: "own", definition, stored: model }, change: before === undefined ? "added" : "replaced" };
    });
    const detail = this.#overflow(changes);
    if (detail !== undefined) return { ok: false, reason: "full", detail };
    const after = composeRegistries(registryOf([...this.#definitions(), ...definitions]), this.#deps.catalogue);
    return { ok: true, changes, warnings: [...warnings, ...nameWarnings(this.registry, after)] };
  }

  #definitions(): readonly ObjectDefinition[] {
    return [...this.#stored.values()]
      .map(({ objectId, version }) => this.#own.find(objectId, version))
      .filter((found) => found !== undefined);
  }

  #overflow(changes: readonly ModelChange[]): string | undefined {
    const after = new Map([...this.#stored].map(([key, { resources }]) => [key, resources.length]));
    for (const { model } of changes) after.set(modelKey(model.definition.id, model.definition.version), model.definition.resources.size);
    const resources = [...after.values()].reduce((sum, count) => sum + count, 0);
    const { versions: maxVersions, resources: maxResources } = this.#limits;
    if (after.size > maxVersions) return `there would be ${after.size} own object versions, at most ${maxVersions}`;
    if (resources > maxResources) return `the own models would have ${resources} resources, at most ${maxResources}`;
    return undefined;
  }

  #show(stored: Map<string, StoredModel>): void {
    // A definition that did not change stays the same object: what was derived from it is kept by it.
    const known = (model: StoredModel): ObjectDefinition | undefined =>
      this.#stored.get(model._id) === model ? this.#own.find(model.objectId, model.version) : undefined;
    const definitions = [...stored.values()].map((model) => known(model) ?? definitionOf(model));
    this.#stored = stored;
    this.#own = registryOf(definitions);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    // The caller has the failure; the next one only waits for the end.
    this.#turn = done.catch(() => {});
    return done;
  }
}

type FileReading = ({ readonly ok: true } & DdfReading) | { readonly ok: false; readonly faults: readonly DdfFault[] };

function readFile(file: Uint8Array): FileReading {
  let xml: string;
  try {
    xml = new TextDecoder("utf-8", { fatal: true }).decode(file);
  } catch {
    return { ok: false, faults: [{ detail: "the file is not UTF-8" }] };
  }
  try {
    return { ok: true, ...readDdf(xml) };
  } catch (error) {
    if (error instanceof DdfFormatError) return { ok: false, faults: error.faults };
    throw error;
  }
}
