/** Operations that an earlier version stored in the clear: what nobody is to see of them is sealed once, and its leftovers erased. */
import { clearTextCollection } from "../security/sealed-documents.ts";
import type { Collection, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { OperationSecrets, StoredOperation } from "./operation-secrets.ts";
import { operationCollection } from "./operation-store.ts";

const pageSize = 500;
/** Its document: nothing stands in the clear any more, arguments of Execute included (`operations` was values alone). */
const markId = "operations-with-arguments";

/** At the start, before anything is sent. Cut short, it begins anew at the next. */
export async function sealPlainOperations(store: Store, secrets: OperationSecrets): Promise<void> {
  const marks = store.collection<StoredDocument>(clearTextCollection);
  if ((await marks.findOne({ _id: markId })) !== undefined) return;
  if (await sealAll(store, secrets)) await store.eraseLeftovers?.();
  await marks.updateOne({ _id: markId }, { $set: { found: false } }, { upsert: true });
}

/** True: something was. */
async function sealAll(store: Store, secrets: OperationSecrets): Promise<boolean> {
  const operations = store.collection<StoredOperation>(operationCollection);
  let found = false;
  for (let after = ""; ; ) {
    const page = await operations.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
    for (const { _id } of page.filter((stored) => isPlain(stored, secrets))) {
      found = true;
      await sealOne(operations, secrets, _id);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return found;
    after = last._id;
  }
}

function isPlain(stored: StoredOperation, secrets: OperationSecrets): boolean {
  return stored.hasSecrets !== true && secrets.sealed(stored) !== stored;
}

/** Again when another process has changed it meanwhile. */
async function sealOne(operations: Collection<StoredOperation>, secrets: OperationSecrets, id: string): Promise<void> {
  for (;;) {
    const plain = await operations.findOne({ _id: id });
    if (plain === undefined || !isPlain(plain, secrets)) return;
    const sealed = secrets.sealed(plain);
    const { value, values, secrets: texts, sealedBy } = sealed;
    // Several instances in one Create are younger than sealing.
    const shown = { ...(value === undefined ? {} : { value }), ...(values === undefined ? {} : { values }) };
    const gone = {
      ...(plain.value !== undefined && value === undefined ? { value: true as const } : {}),
      ...(plain.arguments === undefined ? {} : { arguments: true as const }),
    };
    const removed = Object.keys(gone).length === 0 ? {} : { $unset: gone };
    const update = { $set: { ...shown, hasSecrets: true, secrets: texts, sealedBy }, ...removed };
    if ((await operations.updateOne({ _id: id, rev: plain.rev }, update)).matched > 0) return;
  }
}
