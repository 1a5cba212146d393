import type { Collection, StoredDocument } from "../storage/collection.ts";

const pageSize = 500;

/** Every document of a collection, by `_id`. */
export async function* allDocuments<T extends StoredDocument>(collection: Collection<T>): AsyncGenerator<T> {
  for (let after: { readonly value: string; readonly id: string } | undefined; ; ) {
    const page = await collection.find({}, { limit: pageSize, ...(after === undefined ? {} : { after }) });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = { value: last._id, id: last._id };
  }
}
