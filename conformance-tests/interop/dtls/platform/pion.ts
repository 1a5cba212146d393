/** pion/dtls: `interop/peers/dtls/pion`. */
import { pionProgram } from "../../platform/locations.ts";
import { certificateName, clientPsk, pskIdentity, pskKeyHex } from "../credentials.ts";
import type { Wish } from "../wish.ts";
import type { KeyFiles } from "./key-files.ts";
import { loopback } from "./our-dtls.ts";
import type { DtlsPeer } from "./peer.ts";
import { isEcho, ProgramClient, startServerProgram } from "./process-peer.ts";

export const pion: DtlsPeer = {
  connect: (port, wish, files) => {
    const args = ["client", `${loopback}:${port}`, ...shared(wish, files, "client"), "-times", String(wish.connections)];
    return new ProgramClient("pion client", { command: pionProgram, args, lines: wish.lines, closesInput: true });
  },
  serve: (wish, files) =>
    startServerProgram({
      name: "pion server",
      command: pionProgram,
      args: ["server", `${loopback}:0`, ...shared(wish, files, "server")],
      port: undefined,
      ready: /^READY .*:(\d+)$/,
      isAnswer: isEcho,
      closed: /^CLOSED EOF/,
    }),
};

function shared(wish: Wish, files: KeyFiles, role: "client" | "server"): string[] {
  const args = ["-suites", wish.suite.toString(16).padStart(4, "0")];
  if (wish.credential === "psk") {
    const { identity, keyHex } = role === "client" ? clientPsk(wish) : { identity: pskIdentity, keyHex: pskKeyHex };
    args.push("-psk", `${identity}:${keyHex}`);
  } else {
    const own = certificateName(role, "peer", wish);
    const showsOwn = role === "server" || wish.credential === "certificates";
    const checks = role === "client" || wish.credential === "certificates";
    if (showsOwn) args.push("-cert", files.chain(own), "-key", files.privateKey(own));
    if (checks) args.push("-ca", files.authority);
    if (role === "client" && wish.serverName !== undefined) args.push("-name", wish.serverName);
  }
  if (wish.peerId !== undefined) args.push("-cid", String(wish.peerId));
  if (!wish.peerHasEms) args.push("-no-ems");
  if (wish.connections > 1) args.push("-resume");
  return args;
}
