/** Bounds of one handshake that are no setting: each with unit and reason. */
import { HandshakeType } from "../constants.ts";

/** Jitter on top of a flight's timeout, as a share of it: a fleet that restarts at once does not stay in step. */
export const timeoutJitter = 0.1;

/** Repeats of the same flight after which fragments become as small as `smallMtuBytes` (RFC 6347 §4.1.1.1). */
export const lossesBeforeSmallMtu = 2;

/** Least pause between repetitions of a flight that repeats of the peer asked for, as a share of `initialTimeoutMs`. */
export const repeatPause = 0.5;

/** HelloVerifyRequests a client follows in one handshake: one, and one more when the server's cookie key changed meanwhile. */
export const mostHelloVerifyRequests = 2;

/** RFC 7925 §4.2 names 128 bytes as what must be supported; a longer identity is nobody's. */
export const largestPskIdentityBytes = 128;

/**
 * Largest body by type, bytes, below the general `largestMessageBytes`: what these messages can need with the parameters spoken here,
 * so that a peer cannot fill memory with a message that is never going to be read.
 */
export const largestBodyBytes: { readonly [type: number]: number } = {
  [HandshakeType.helloRequest]: 0,
  [HandshakeType.clientHello]: 4_096,
  [HandshakeType.serverHello]: 2_048,
  [HandshakeType.helloVerifyRequest]: 258,
  // Hint, point of P-384, and a signature of RSA with 8,192 bits.
  [HandshakeType.serverKeyExchange]: 2_048,
  [HandshakeType.serverHelloDone]: 0,
  [HandshakeType.clientKeyExchange]: 1_024,
  [HandshakeType.certificateVerify]: 1_028,
  [HandshakeType.finished]: 12,
};
