/** Scandium 3.14: `interop/peers/dtls/scandium`. */

import { suiteOf } from "@lwm2m/protocol/dtls/crypto/suites";
import { scandiumClassPath } from "../../platform/locations.ts";
import { certificateName, clientPsk, pskIdentity, pskKeyHex } from "../credentials.ts";
import type { Wish } from "../wish.ts";
import type { KeyFiles } from "./key-files.ts";
import { loopback } from "./our-dtls.ts";
import type { DtlsPeer } from "./peer.ts";
import { isEcho, ProgramClient, startServerProgram } from "./process-peer.ts";

const java = [
  "-XX:TieredStopAtLevel=1",
  "-XX:+UseSerialGC",
  "-Xshare:auto",
  "-Xmx96m",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-cp",
];

export const scandium: DtlsPeer = {
  connect: (port, wish, files) => {
    const args = [...java, scandiumClassPath, "ScandiumPeer", "client", `${loopback}:${port}`, ...shared(wish, files, "client")];
    return new ProgramClient("Scandium client", {
      command: "java",
      args: [...args, "--times", String(wish.connections)],
      lines: wish.lines,
      closesInput: true,
    });
  },
  serve: (wish, files) =>
    startServerProgram({
      name: "Scandium server",
      command: "java",
      args: [...java, scandiumClassPath, "ScandiumPeer", "server", `${loopback}:0`, ...shared(wish, files, "server")],
      port: undefined,
      ready: /^READY .*:(\d+)$/,
      isAnswer: isEcho,
    }),
};

function shared(wish: Wish, files: KeyFiles, role: "client" | "server"): string[] {
  const args = ["--suites", `TLS_${suiteOf(wish.suite)?.name}`];
  const other = role === "client" ? "raw-server" : "raw-client";
  switch (wish.credential) {
    case "psk": {
      const { identity, keyHex } = role === "client" ? clientPsk(wish) : { identity: pskIdentity, keyHex: pskKeyHex };
      args.push("--psk", `${identity}:${keyHex}`);
      break;
    }
    case "raw-keys":
      args.push("--key", files.privateKey(`raw-${role}`, "der"), "--public", files.publicKey(`raw-${role}`, "der"));
      args.push("--peer", files.publicKey(other, "der"));
      break;
    default: {
      const own = certificateName(role, "peer", wish);
      if (role === "server" || wish.credential === "certificates")
        args.push("--key", files.privateKey(own, "der"), "--cert", files.chain(own));
      if (role === "client" || wish.credential === "certificates") args.push("--ca", files.authority);
    }
  }
  if (!wish.peerHasEms) args.push("--no-ems", "yes");
  if (wish.recordSize !== undefined && role === "client") args.push("--mfl", String(wish.recordSize));
  if (wish.serverName !== undefined && role === "client") args.push("--sni", wish.serverName);
  if (wish.credential === "server-certificate" && role === "server") args.push("--anonymous", "yes");
  if (wish.peerId !== undefined) args.push("--cid", String(wish.peerId));
  return args;
}
