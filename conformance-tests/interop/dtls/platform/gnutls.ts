/** GnuTLS 3.7: `gnutls-cli` and `gnutls-serv`. */
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { certificateName, clientPsk, serverHost } from "../credentials.ts";
import type { Wish } from "../wish.ts";
import type { KeyFiles } from "./key-files.ts";
import type { DtlsPeer } from "./peer.ts";
import { ProgramClient, startServerProgram } from "./process-peer.ts";

const bufferBytes = 254;

/** Key exchange, cipher and MAC of a suite, as priority strings name them. */
const suites = new Map([
  [0xc0a8, "+PSK:+AES-128-CCM-8:+AEAD"],
  [0xc0a4, "+PSK:+AES-128-CCM:+AEAD"],
  [0x00a8, "+PSK:+AES-128-GCM:+AEAD"],
  [0x00ae, "+PSK:+AES-128-CBC:+SHA256"],
  [0xc037, "+ECDHE-PSK:+AES-128-CBC:+SHA256"],
  [0xc0ae, "+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD"],
  [0xc02b, "+ECDHE-ECDSA:+AES-128-GCM:+AEAD"],
]);

export const gnutls: DtlsPeer = {
  connect: (port, wish, files) => {
    const args = ["--udp", "--port", String(port), "--priority", priority(wish), "--noticket", "--verify-hostname", serverHost];
    if (wish.connections > 1) args.push("--resume");
    if (wish.recordSize !== undefined) args.push("--recordsize", String(wish.recordSize));
    if (wish.serverName === undefined) args.push("--disable-sni");
    else args.push("--sni-hostname", wish.serverName);
    return new ProgramClient("gnutls-cli", {
      command: "gnutls-cli",
      args: [...args, ...clientKeys(wish, files), "127.0.0.1"],
      lines: wish.lines,
    });
  },
  serve: async (wish, files) => {
    const port = await stablePort("udp");
    const args = ["--udp", "--echo", "--port", String(port), "--priority", priority(wish), "--noticket", ...serverKeys(wish, files)];
    if (wish.serverName !== undefined) args.push("--sni-hostname", wish.serverName, "--sni-hostname-fatal");
    return startServerProgram({
      name: "gnutls-serv",
      command: "sh",
      // It says what it does on standard error.
      args: ["-c", 'exec gnutls-serv "$@" 2>&1', "gnutls-serv", ...args],
      port,
      ready: /listening on IPv4/,
      // A long line comes back in pieces of its buffer.
      isAnswer: (line, heard) => line.startsWith(heard.trimEnd()) && heard.length >= Math.min(line.length, bufferBytes),
    });
  },
};

function priority({ suite, credential, peerHasEms }: Wish): string {
  const types = credential === "raw-keys" ? "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK" : "+CTYPE-X509";
  const without = peerHasEms ? "" : ":%NO_SESSION_HASH";
  return `NONE:+VERS-DTLS1.2:${suites.get(suite)}:+SIGN-ALL:+COMP-NULL:+GROUP-SECP256R1:${types}${without}`;
}

function clientKeys(wish: Wish, files: KeyFiles): string[] {
  const { identity, keyHex } = clientPsk(wish);
  switch (wish.credential) {
    case "psk":
      return ["--pskusername", identity, "--pskkey", keyHex];
    case "raw-keys":
      // A raw key of a server is only ever trusted on first use here.
      return ["--insecure", "--rawpkkeyfile", files.privateKey("raw-client"), "--rawpkfile", files.publicKey("raw-client")];
    default: {
      const own = certificateName("client", "peer", wish);
      const proof = wish.credential === "certificates" ? ["--x509certfile", files.chain(own), "--x509keyfile", files.privateKey(own)] : [];
      return ["--x509cafile", files.authority, ...proof];
    }
  }
}

function serverKeys(wish: Wish, files: KeyFiles): string[] {
  switch (wish.credential) {
    case "psk":
      return ["--pskpasswd", files.at("psk.txt")];
    case "raw-keys":
      return ["--require-client-cert", "--rawpkkeyfile", files.privateKey("raw-server"), "--rawpkfile", files.publicKey("raw-server")];
    default: {
      const own = certificateName("server", "peer", wish);
      const check = ["--require-client-cert", "--verify-client-cert", "--x509cafile", files.authority];
      const asks = wish.credential === "certificates" ? check : ["--disable-client-cert"];
      return ["--x509certfile", files.chain(own), "--x509keyfile", files.privateKey(own), ...asks];
    }
  }
}
