/**
 * The peer broke the protocol. Each layer has its own subclass with a stable `code`;
 * the layer that owns the peer catches it once and gives the answer the standard names.
 */
export abstract class ProtocolError extends Error {
  abstract readonly code: string;

  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}
