/** The client role: handshakes that somebody here asked for. */
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { addressWords, readAddress } from "../connections/address-words.ts";
import type { ClientCredentials, ResumableSession } from "../credentials-contract.ts";
import { DtlsError } from "../endpoint-contract.ts";
import { ClientHandshake } from "../handshake/client-handshake.ts";
import type { Handshakes } from "./handshakes.ts";
import type { Site } from "./site.ts";

interface Remembered {
  readonly credentials: ClientCredentials;
  readonly session: ResumableSession;
}

export class Connector {
  readonly #site: Site;
  readonly #handshakes: Handshakes;
  readonly #logKey: ((line: string) => void) | undefined;
  /** The last session with each server, for as long as the same credentials are used. */
  readonly #sessions = new Map<string, Remembered>();

  constructor(site: Site, handshakes: Handshakes, logKey: ((line: string) => void) | undefined) {
    this.#site = site;
    this.#handshakes = handshakes;
    this.#logKey = logKey;
  }

  connect(address: SocketAddress, credentials: ClientCredentials, signal?: AbortSignal): Promise<SocketAddress> {
    const { admission, clock } = this.#site;
    if (!readAddress(address.address, new Uint32Array(addressWords))) {
      return Promise.reject(new DtlsError("cancelled", `${address.address} is no literal address`));
    }
    if (signal?.aborted === true) return Promise.reject(new DtlsError("cancelled", "cancelled before it began"));
    const verdict = admission.begin(address, clock.now());
    if (verdict !== "ok") return Promise.reject(new DtlsError("cancelled", "too many handshakes are under way"));
    return new Promise((resolve, reject) => {
      let machine: ClientHandshake;
      try {
        machine = this.#machineFor(address, credentials);
      } catch (error) {
        admission.ended(address);
        reject(error);
        return;
      }
      const cancel = (): void => this.#handshakes.cancel(run, "cancelled by who asked for it");
      const settled = (): void => signal?.removeEventListener("abort", cancel);
      const run = this.#handshakes.begin({
        role: "client",
        address,
        machine,
        hello: new Uint8Array(0),
        firstSequence: 0,
        credentials,
        settle: {
          connected: (peer, session) => {
            settled();
            this.#remember(address, credentials, session);
            resolve(peer);
          },
          failed: (error) => {
            settled();
            this.#sessions.delete(keyOf(address));
            reject(error);
          },
        },
      });
      signal?.addEventListener("abort", cancel);
    });
  }

  #machineFor(address: SocketAddress, credentials: ClientCredentials): ClientHandshake {
    const { settings, random, table } = this.#site;
    const known = this.#sessions.get(keyOf(address));
    return new ClientHandshake({
      settings,
      credentials,
      random,
      ownConnectionId: table.newOwnId(),
      ...(known?.credentials === credentials ? { session: known.session } : {}),
      ...(this.#logKey === undefined ? {} : { logKey: this.#logKey }),
    });
  }

  #remember(address: SocketAddress, credentials: ClientCredentials, session: ResumableSession | undefined): void {
    const key = keyOf(address);
    this.#sessions.delete(key);
    if (session === undefined) return;
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < this.#site.limits.clientSessions) break;
      this.#sessions.delete(oldest);
    }
    this.#sessions.set(key, { credentials, session });
  }
}

function keyOf({ address, port }: SocketAddress): string {
  return `${address} ${port}`;
}
