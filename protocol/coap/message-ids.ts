/**
 * Message ids of one peer: sequential from a random start, none used again within EXCHANGE_LIFETIME (RFC 7252 §4.4).
 *
 * Sixteen stretches of ids each remember when they were left, and are entered again only when that is long enough ago: 265 messages a
 * second on average, which only a block-wise upload over a fast link reaches. A peer that never wraps remembers nothing.
 */
export interface MessageIdAccount {
  nextMessageId: number;
  messageIdHistory: Float64Array | undefined;
}

export const messageIds = 65_536;
const stretches = 16;
const stretchLength = messageIds / stretches;

export function takeMessageId(account: MessageIdAccount, now: number): number {
  const messageId = account.nextMessageId;
  account.nextMessageId = (messageId + 1) % messageIds;
  if (account.nextMessageId % stretchLength === 0) {
    account.messageIdHistory ??= new Float64Array(stretches).fill(Number.NEGATIVE_INFINITY);
    account.messageIdHistory[Math.floor(messageId / stretchLength)] = now;
  }
  return messageId;
}

/** How long the next id must wait, milliseconds; nearly always 0. */
export function messageIdWaitMs(account: MessageIdAccount, now: number, lifetimeMs: number): number {
  const { messageIdHistory, nextMessageId } = account;
  if (messageIdHistory === undefined || nextMessageId % stretchLength !== 0) return 0;
  return Math.max(0, (messageIdHistory[nextMessageId / stretchLength] ?? 0) + lifetimeMs - now);
}
