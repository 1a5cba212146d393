/** A scripted device behind DTLS: it connects when its test says so. */
import { openDtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint/dtls-endpoint";
import type { DtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { type DeviceScript, ScriptedDevice } from "./scripted-device.ts";
import { type ServerWorld, securedServerAddress } from "./server-world.ts";

export interface SecuredScript extends DeviceScript {
  readonly identity: string;
  readonly key: Uint8Array;
  /** Whether it asks for a connection id of the server; default yes. */
  readonly connectionId?: boolean;
}

export class SecuredDevice {
  readonly scripted: ScriptedDevice;
  readonly dtls: DtlsEndpoint;
  readonly #world: ServerWorld;
  readonly #script: SecuredScript;
  #server: SocketAddress | undefined;

  private constructor(world: ServerWorld, script: SecuredScript, address: SocketAddress, dtls: DtlsEndpoint) {
    this.#world = world;
    this.#script = script;
    this.dtls = dtls;
    this.scripted = new ScriptedDevice(world, { ...script, address }, { socket: () => this.#socket(), server: () => securedServerAddress });
  }

  static async open(world: ServerWorld, script: SecuredScript): Promise<SecuredDevice> {
    const address = script.address ?? { address: "10.0.0.2", port: 56_840 };
    const dtls = await openDtlsEndpoint({
      socket: world.network.socket(address),
      clock: world.clock,
      random: world.random,
      settings: { connectionIdBytes: script.connectionId === false ? undefined : 0 },
      onBug: (error) => world.report(`device: ${error}`),
    });
    return new SecuredDevice(world, script, address, dtls);
  }

  /** A handshake; what is sent from now on goes by the new connection. */
  async connect(): Promise<void> {
    const { identity, key } = this.#script;
    const connecting = this.dtls.connect(securedServerAddress, { psk: { identity: Buffer.from(identity), key } });
    this.#server = await this.#world.until(connecting, 300_000);
  }

  /** close_notify, as a device that goes to sleep for long. */
  disconnect(): void {
    if (this.#server?.association !== undefined) this.dtls.disconnect(this.#server.association.key);
  }

  close(): Promise<void> {
    return this.scripted.close();
  }

  /** For a device its server is one peer, whatever connection it has to it: what it serves goes on over the newest. */
  #socket(): DatagramSocket {
    const { plaintext } = this.dtls;
    return {
      local: plaintext.local,
      send: (bytes) => {
        if (this.#server !== undefined) plaintext.send(bytes, this.#server);
      },
      onDatagram: (receive) => plaintext.onDatagram((bytes) => receive(bytes, securedServerAddress)),
      close: () => plaintext.close(),
    };
  }
}
