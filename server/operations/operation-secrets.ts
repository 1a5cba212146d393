/**
 * What of an operation nobody is to see is sealed where it is stored, and opened where it is used. So are the arguments of every
 * Execute: no model says what they are, and some are credentials.
 */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { newestModels } from "../registration/secret-paths.ts";
import { openFields, type Sealed, sealFields } from "../security/sealed-documents.ts";
import type { SecretBox } from "../security/secret-box.ts";
import type { CollectionDefinition, Json } from "../storage/collection.ts";
import type { Operation } from "./operation.ts";
import { withoutUnreadable } from "./unreadable-values.ts";

/** With secrets only: their values, and the arguments, are not among the others. */
export type StoredOperation = Operation & Partial<Sealed> & { readonly hasSecrets?: true };

/** As the request had them, whole. */
interface Values extends Pick<Operation, "arguments" | "instances"> {
  readonly value?: Json;
  readonly values?: { readonly [path: string]: Json };
}

const field = "values";

export class OperationSecrets {
  readonly #box: SecretBox;
  readonly #registry: ObjectRegistry;
  readonly #collection: CollectionDefinition;

  constructor(box: SecretBox, registry: ObjectRegistry, collection: CollectionDefinition) {
    this.#box = box;
    this.#registry = registry;
    this.#collection = collection;
  }

  sealed(operation: Operation): StoredOperation {
    const { operation: shown, hides } = withoutUnreadable(operation, newestModels(this.#registry));
    const { arguments: given, ...plain } = shown;
    if (!hides && given === undefined) return operation;
    const { value, values, instances } = hides ? operation : ({} as Values);
    const whole: Values = {
      ...(value === undefined ? {} : { value }),
      ...(values === undefined ? {} : { values }),
      ...(instances === undefined ? {} : { instances }),
      ...(given === undefined ? {} : { arguments: given }),
    };
    const secrets = { [field]: Buffer.from(JSON.stringify(whole)) };
    return { ...plain, hasSecrets: true, ...sealFields(this.#box, this.#collection, operation._id, secrets) };
  }

  /** Throws `SecretBoxError`. */
  opened(stored: StoredOperation): Operation {
    const { secrets, sealedBy, hasSecrets, ...operation } = stored;
    if (secrets === undefined) return stored;
    const plain = openFields(this.#box, this.#collection, { _id: stored._id, secrets })[field];
    const whole = plain === undefined ? {} : (JSON.parse(Buffer.from(plain).toString()) as Values);
    return { ...operation, ...whole };
  }
}
