/** How many operations a device may have, and how long they live; the settings may say otherwise. */

export interface OperationServiceLimits {
  /** Open operations of one device; more are refused (429). */
  readonly maxQueuedPerDevice: number;
  /** How long an operation waits for its device when the caller does not say; milliseconds. */
  readonly defaultExpiryMs: number;
  /** How long one with `onOffline: fail` may wait for its turn; milliseconds. */
  readonly onlineExpiryMs: number;
  /** Operations that one exchange may carry; 1: each goes by itself. Small devices hold a request and its answer in fixed tables. */
  readonly mostTogether: number;
  /** How long finished operations are kept; milliseconds. */
  readonly keptMs: number;
}

const dayMs = 86_400_000;

export const operationServiceLimits: OperationServiceLimits = {
  maxQueuedPerDevice: 1_000,
  defaultExpiryMs: 7 * dayMs,
  onlineExpiryMs: 120_000,
  mostTogether: 16,
  keptMs: 30 * dayMs,
};
