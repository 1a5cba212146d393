/** The way to one server: its address, and with DTLS the association, made again when it was lost. */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Peer } from "@lwm2m/protocol/coap/message";
import type { ClientCredentials } from "@lwm2m/protocol/dtls/credentials-contract";
import { DtlsError } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { ClientTransport } from "./client-transport.ts";

export interface LinkParts {
  readonly transport: ClientTransport;
  readonly endpoint: CoapEndpoint;
  readonly address: SocketAddress;
  /** Undefined: no security. */
  readonly credentials: ClientCredentials | undefined;
  readonly clock: Clock;
  readonly log: (message: string) => void;
  readonly onBug?: ((error: unknown) => void) | undefined;
}

export class ServerLink {
  /** The association has ended without our doing, after so long. */
  onLost: (livedMs: number) => void = () => {};
  readonly #parts: LinkParts;
  #peer: Peer | undefined;
  #madeAt = 0;
  /** Grows with each drop: a handshake that ends after one has made an association that nobody wants. */
  #drops = 0;

  private constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  static async open(parts: LinkParts): Promise<ServerLink> {
    const link = new ServerLink(parts);
    if (parts.credentials !== undefined) await parts.transport.openSecured(parts.address.address);
    else {
      await parts.transport.openPlain(parts.address.address);
      link.#peer = parts.endpoint.peerAt(parts.address);
    }
    return link;
  }

  get address(): SocketAddress {
    return this.#parts.address;
  }

  /** Undefined while there is no association. */
  get peer(): Peer | undefined {
    return this.#peer;
  }

  /** The peer, after a handshake where one is needed; undefined when that failed. Never rejects. */
  async connect(signal: AbortSignal): Promise<Peer | undefined> {
    const { transport, endpoint, address, credentials, clock, log, onBug } = this.#parts;
    if (this.#peer !== undefined || credentials === undefined) return this.#peer;
    const drops = this.#drops;
    try {
      const dtls = await transport.openSecured(address.address);
      const found = await dtls.connect(address, credentials, { signal });
      const key = found.association?.key;
      if (key === undefined) throw new Error("connected without an association");
      if (signal.aborted || drops !== this.#drops) {
        transport.forget(key);
        return undefined;
      }
      this.#peer = endpoint.peerAt(found);
      this.#madeAt = clock.now();
      transport.onEnded(key, (reason) => this.#lost(reason));
      return this.#peer;
    } catch (error) {
      if (!(error instanceof DtlsError)) onBug?.(error);
      else if (!signal.aborted) log(`dtls: no connection, ${error.failure}: ${error.message}`);
      return undefined;
    }
  }

  /** Ends the association, whatever the server thinks of it; the next `connect` makes another. */
  drop(): void {
    this.#drops += 1;
    const key = this.#peer?.address.association?.key;
    if (key === undefined) return;
    this.#peer = undefined;
    this.#parts.transport.forget(key);
  }

  #lost(reason: string): void {
    const { clock, log } = this.#parts;
    this.#peer = undefined;
    log(`dtls: connection lost, ${reason}`);
    this.onLost(clock.now() - this.#madeAt);
  }
}
