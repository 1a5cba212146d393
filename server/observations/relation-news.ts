/** What whoever asks for observations hears of their relations. */

/** Who makes the operations by which the server asks by itself. */
export const actor = "server";

export type RelationNews =
  /** Anew. `had`: something was observed or wished there; `grantedAt`: when it last granted what is void now. */
  | { readonly kind: "registered"; readonly endpoint: string; readonly had: boolean; readonly grantedAt: number | undefined }
  /** The registration is over; a relation has ended; one was found void, or silent, at the start; one is silent, or heard again; the
   * attributes at an observed path are others now. */
  | { readonly kind: "gone" | "ended" | "restored" | "silent" | "heard" | "rewritten"; readonly endpoint: string };

export type RelationListener = (news: RelationNews) => void;
