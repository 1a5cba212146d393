/** OpenSSL 3.0: `s_client` and `s_server`. */
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { certificateName, clientPsk, pskIdentity, pskKeyHex } from "../credentials.ts";
import type { Wish } from "../wish.ts";
import type { KeyFiles } from "./key-files.ts";
import { loopback } from "./our-dtls.ts";
import type { DtlsPeer } from "./peer.ts";
import { type ClientProgram, isEcho, ProgramClient, startServerProgram } from "./process-peer.ts";

const suites = new Map([
  [0xc0a8, "PSK-AES128-CCM8"],
  [0xc0a4, "PSK-AES128-CCM"],
  [0x00a8, "PSK-AES128-GCM-SHA256"],
  [0x00ae, "PSK-AES128-CBC-SHA256"],
  [0xc037, "ECDHE-PSK-AES128-CBC-SHA256"],
  [0xc0ae, "ECDHE-ECDSA-AES128-CCM8"],
  [0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"],
]);

export const openssl: DtlsPeer = {
  connect: (port, wish, files) => {
    const session = files.at(`session-${port}`);
    const first = clientProgram(port, wish, files, wish.connections > 1 ? ["-sess_out", session] : []);
    return wish.connections === 1
      ? new ProgramClient("openssl s_client", first)
      : new TwiceClient(first, clientProgram(port, wish, files, ["-sess_in", session]));
  },
  serve: async (wish, files) => {
    const port = await stablePort("udp");
    const args = ["s_server", "-dtls1_2", "-accept", `${loopback}:${port}`, "-no_ticket", ...cipher(wish), ...serverKeys(wish, files)];
    if (wish.peerMtu !== undefined) args.push("-mtu", String(wish.peerMtu));
    return startServerProgram({
      name: "openssl s_server",
      command: "openssl",
      args,
      options: environment(wish, files),
      port,
      ready: /^ACCEPT/,
      isAnswer: isEcho,
      isInteractive: true,
      closed: /^DONE/,
    });
  },
};

/** Connects, is answered, ends, and does it again with the session of the first time. */
class TwiceClient extends ProgramClient {
  readonly #second: ClientProgram;
  #again: ProgramClient | undefined;

  constructor(first: ClientProgram, second: ClientProgram) {
    super("openssl s_client", first);
    this.#second = second;
  }

  override async end(): Promise<void> {
    await super.end();
    this.#again = new ProgramClient("openssl s_client", this.#second);
    await this.#again.receivedEcho("");
    await this.#again.end();
  }

  override async kill(): Promise<void> {
    await super.kill();
    await this.#again?.kill();
  }
}

function clientProgram(port: number, wish: Wish, files: KeyFiles, session: readonly string[]): ClientProgram {
  const args = [
    "s_client",
    "-dtls1_2",
    "-connect",
    `${loopback}:${port}`,
    "-no_ticket",
    ...cipher(wish),
    ...clientKeys(wish, files),
    ...session,
  ];
  if (wish.recordSize !== undefined) args.push("-maxfraglen", String(wish.recordSize));
  if (wish.peerMtu !== undefined) args.push("-mtu", String(wish.peerMtu));
  if (wish.serverName === undefined) args.push("-noservername");
  else args.push("-servername", wish.serverName);
  return { command: "openssl", args, options: environment(wish, files), lines: wish.lines };
}

/** Level 0: OpenSSL counts CCM_8 as too short a tag for more. */
const cipher = ({ suite }: Wish): string[] => ["-cipher", `${suites.get(suite)}:@SECLEVEL=0`];

const environment = ({ peerHasEms }: Wish, files: KeyFiles) => (peerHasEms ? {} : { env: { OPENSSL_CONF: files.at("no-ems.cnf") } });

function clientKeys(wish: Wish, files: KeyFiles): string[] {
  const { identity, keyHex } = clientPsk(wish);
  if (wish.credential === "psk") return ["-psk_identity", identity, "-psk", keyHex];
  const own = certificateName("client", "peer", wish);
  return [
    ...["-CAfile", files.authority, "-verify_return_error", "-verify", "3"],
    ...(wish.credential === "certificates" ? ["-cert", files.chain(own), "-key", files.privateKey(own)] : []),
  ];
}

function serverKeys(wish: Wish, files: KeyFiles): string[] {
  if (wish.credential === "psk") return ["-nocert", "-psk_identity", pskIdentity, "-psk", pskKeyHex];
  const own = certificateName("server", "peer", wish);
  return [
    ...["-cert", files.chain(own), "-key", files.privateKey(own)],
    ...(wish.credential === "certificates" ? ["-CAfile", files.authority, "-Verify", "3", "-verify_return_error"] : []),
    ...(wish.serverName === undefined
      ? []
      : ["-servername", wish.serverName, "-servername_fatal", "-cert2", files.chain(own), "-key2", files.privateKey(own)]),
  ];
}
