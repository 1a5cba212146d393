/** The fields of the accounts and the resources they become: one table for the reader of the JSON form and for the plan. */

export interface ConfigField {
  /** In the JSON form. */
  readonly key: string;
  readonly resourceId: number;
  /** `identity` is text, every other opaque resource base64. */
  readonly kind: "text" | "integer" | "boolean" | "base64" | "identity" | "mode";
  readonly required?: true;
  /** Integer: bounds of the value. Text and bytes: bounds of the length in bytes. */
  readonly min?: number;
  readonly max?: number;
}

/** DTLS profile of LwM2M: identity 128, key 64 bytes at most (LwM2M Transport 1.1 §5.2.8); certificates are bounded by one block-wise write. */
const maxKeyMaterialBytes = 4_096;
const maxSeconds = 4_294_967_295;

/** Object 0 (LwM2M Core 1.1 appendix E.1). */
export const securityFields: readonly ConfigField[] = [
  { key: "serverUri", resourceId: 0, kind: "text", required: true, min: 1, max: 255 },
  { key: "bootstrapServer", resourceId: 1, kind: "boolean" },
  { key: "mode", resourceId: 2, kind: "mode", required: true },
  { key: "identity", resourceId: 3, kind: "identity", min: 1, max: 128 },
  { key: "publicKey", resourceId: 3, kind: "base64", min: 1, max: maxKeyMaterialBytes },
  { key: "serverPublicKey", resourceId: 4, kind: "base64", min: 1, max: maxKeyMaterialBytes },
  { key: "secretKey", resourceId: 5, kind: "base64", min: 1, max: maxKeyMaterialBytes },
  { key: "shortServerId", resourceId: 10, kind: "integer", min: 1, max: 65_534 },
  { key: "holdOffSeconds", resourceId: 11, kind: "integer", min: 0, max: maxSeconds },
  { key: "bootstrapTimeoutSeconds", resourceId: 12, kind: "integer", min: 0, max: maxSeconds },
  { key: "matchingType", resourceId: 13, kind: "integer", min: 0, max: 3 },
  { key: "serverName", resourceId: 14, kind: "text", min: 1, max: 255 },
  { key: "certificateUsage", resourceId: 15, kind: "integer", min: 0, max: 3 },
];

/** Object 1 (LwM2M Core 1.1 appendix E.2). */
export const serverFields: readonly ConfigField[] = [
  { key: "shortServerId", resourceId: 0, kind: "integer", required: true, min: 1, max: 65_534 },
  { key: "lifetimeSeconds", resourceId: 1, kind: "integer", min: 1, max: maxSeconds },
  { key: "defaultMinPeriodSeconds", resourceId: 2, kind: "integer", min: 0, max: maxSeconds },
  { key: "defaultMaxPeriodSeconds", resourceId: 3, kind: "integer", min: 1, max: maxSeconds },
  { key: "disableTimeoutSeconds", resourceId: 5, kind: "integer", min: 0, max: maxSeconds },
  { key: "notificationStoring", resourceId: 6, kind: "boolean" },
  { key: "binding", resourceId: 7, kind: "text", min: 1, max: 8 },
  { key: "muteSend", resourceId: 23, kind: "boolean" },
];

/** Security Mode (/0/x/2). */
export const modeNumbers = { psk: 0, rpk: 1, x509: 2, noSec: 3, est: 4 } as const;

/** Written once, never shown again. */
export const secretKeys: readonly string[] = ["secretKey"];
