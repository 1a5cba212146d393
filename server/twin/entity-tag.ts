/** Versions of a twin as entity tags (RFC 9110 §8.8.3, §13.1.1). Pure. */

/** Also of a document that is not there yet: so that a first change can be made conditional. */
export function entityTag(document: { readonly since: number; readonly version: number } | undefined): string {
  return `"${(document?.since ?? 0).toString(36)}-${document?.version ?? 0}"`;
}

/** Whether If-Match lets a change of this version happen; weak tags never match. */
export function isFitting(ifMatch: string, document: { readonly since: number; readonly version: number } | undefined): boolean {
  if (ifMatch.trim() === "*") return document !== undefined;
  return ifMatch.split(",").some((tag) => tag.trim() === entityTag(document));
}
