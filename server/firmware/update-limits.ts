/** How long an update waits for what, and how often it tries: one table. */

export interface UpdateLimits {
  /** Between two looks while the device works; a contact or a served block comes first (5 s). */
  readonly lookEveryMs: number;
  /** The pause grows with the time since the last progress, up to this (60 s). */
  readonly lookAtMostEveryMs: number;
  /** Between two looks at a device whose user put the installation off (10 min). */
  readonly deferredLookEveryMs: number;
  /** A device that was heard again only after this long was asleep: what it had not done, it gets its time for again (5 min). */
  readonly sleepGapMs: number;
  /** An offer that the device took but does nothing about, while it is awake (10 min). */
  readonly offerTimeoutMs: number;
  /** A download without a new block, while the device is awake (30 min). */
  readonly stallTimeoutMs: number;
  /** A device that went idle in the middle of a download has lost it after this (60 s). */
  readonly idleDownloadMs: number;
  /** How long a device may show after an accepted Execute what it showed before (2 min). */
  readonly settleMs: number;
  /** From the accepted Execute to the report (30 min). */
  readonly bootTimeoutMs: number;
  /** Before a retry; doubled each time (30 s). */
  readonly retryAfterMs: number;
  /** Offers of the same package to one device (3). */
  readonly maxAttempts: number;
  /** The same when the package arrives damaged: a second copy tells whether the first one or the link was bad (2). */
  readonly maxIntegrityAttempts: number;
  /** Executes of one download that left the server (3). */
  readonly maxApplies: number;
  /** Looks that show no State 0 after a reset, before that is final (4). */
  readonly maxResetLooks: number;
  /** Looks that show success without the version, before that is final (4). */
  readonly maxVerifyLooks: number;
  /** Looks a device refuses before an offer, before that is final (10). */
  readonly maxRefusedLooks: number;
  /** How long a pending step is left alone before it is looked after again (60 s); the longer it waits, the longer, up to an hour. */
  readonly leaseMs: number;
  readonly longestLeaseMs: number;
}

export const updateLimits: UpdateLimits = {
  lookEveryMs: 5_000,
  lookAtMostEveryMs: 60_000,
  deferredLookEveryMs: 600_000,
  sleepGapMs: 300_000,
  offerTimeoutMs: 600_000,
  stallTimeoutMs: 1_800_000,
  idleDownloadMs: 60_000,
  settleMs: 120_000,
  bootTimeoutMs: 1_800_000,
  retryAfterMs: 30_000,
  maxAttempts: 3,
  maxIntegrityAttempts: 2,
  maxApplies: 3,
  maxResetLooks: 4,
  maxVerifyLooks: 4,
  maxRefusedLooks: 10,
  leaseMs: 60_000,
  longestLeaseMs: 3_600_000,
};
