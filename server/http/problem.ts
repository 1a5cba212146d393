/** The one map from outcomes to HTTP errors (RFC 9457, `application/problem+json`). */

/** Status and title by type; `type` in the reply is `urn:lwm2m:problem:<name>`. */
export const problemTypes = {
  "bad-request": { status: 400, title: "The request is malformed" },
  unauthorized: { status: 401, title: "A valid API key is required" },
  forbidden: { status: 403, title: "The API key does not allow this" },
  "not-found": { status: 404, title: "There is nothing at this address" },
  "device-unknown": { status: 404, title: "No device has this endpoint name" },
  "operation-unknown": { status: 404, title: "No operation has this id" },
  "package-unknown": { status: 404, title: "No package has this id" },
  "update-unknown": { status: 404, title: "No firmware update has this id" },
  "model-unknown": { status: 404, title: "No object model has this id and version" },
  "value-unknown": { status: 404, title: "No value of this resource is known yet" },
  "method-not-allowed": { status: 405, title: "The address does not take this method" },
  "operation-not-allowed": { status: 405, title: "The object model does not allow this operation here" },
  "not-acceptable": { status: 406, title: "No representation fits the Accept header" },
  conflict: { status: 409, title: "The request does not fit the present state" },
  gone: { status: 410, title: "This is no longer kept" },
  "version-conflict": { status: 412, title: "The resource changed in the meantime" },
  "body-too-large": { status: 413, title: "The body is larger than allowed" },
  "unsupported-media-type": { status: 415, title: "The media type is not taken here" },
  "path-not-in-model": { status: 422, title: "The path is not in the device's object model" },
  "not-in-device-version": { status: 422, title: "The device's version of LwM2M does not have this" },
  "value-type-mismatch": { status: 422, title: "The value does not fit the resource" },
  "model-invalid": { status: 422, title: "The file is not an object definition file" },
  "idempotency-mismatch": { status: 422, title: "The Idempotency-Key was used with another request" },
  "queue-full": { status: 429, title: "Too many operations wait for this device" },
  "store-busy": { status: 429, title: "The server takes no new work for a moment" },
  "internal-error": { status: 500, title: "The server failed" },
  "device-rejected": { status: 502, title: "The device refused the operation" },
  "device-unreachable": { status: 503, title: "The device is not reachable now" },
  unavailable: { status: 503, title: "The server cannot do this now" },
  "operation-timeout": { status: 504, title: "The device did not answer in time" },
} as const;

export type ProblemType = keyof typeof problemTypes;

export interface Problem {
  readonly type: ProblemType;
  /** What was got, what was expected, where. */
  readonly detail: string;
  /** JSON pointers of the fields at fault; in XML the path of the element. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  /** `"4.05"`, when a device's answer is the cause. */
  readonly coapCode?: string;
  /** Seconds, for the Retry-After header. */
  readonly retryAfterSeconds?: number;
  /** Methods the address takes, for the Allow header of a 405. */
  readonly allow?: string;
}
