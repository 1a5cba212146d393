/** Mbed TLS 3.6: `ssl_client2` asks for a page, `ssl_server2` answers with one. */

import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { mbedtlsProgram } from "../../platform/locations.ts";
import { certificateName, clientPsk, pskIdentity, pskKeyHex, serverHost } from "../credentials.ts";
import type { Wish } from "../wish.ts";
import type { KeyFiles } from "./key-files.ts";
import { loopback } from "./our-dtls.ts";
import type { DtlsPeer } from "./peer.ts";
import { ProgramClient, startServerProgram } from "./process-peer.ts";

const suites = new Map([
  [0xc0a8, "TLS-PSK-WITH-AES-128-CCM-8"],
  [0xc0a4, "TLS-PSK-WITH-AES-128-CCM"],
  [0x00a8, "TLS-PSK-WITH-AES-128-GCM-SHA256"],
  [0x00ae, "TLS-PSK-WITH-AES-128-CBC-SHA256"],
  [0xc037, "TLS-ECDHE-PSK-WITH-AES-128-CBC-SHA256"],
  [0xc0ae, "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8"],
  [0xc02b, "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"],
]);

export const mbedtls: DtlsPeer = {
  connect: (port, wish, files) => {
    const { lines } = wish;
    const args = [
      ...shared(port, wish, files, "client"),
      `request_page=${lines[0]}`,
      `exchanges=${lines.length}`,
      `reconnect=${wish.connections - 1}`,
      "tickets=0",
      ...(wish.weSendEmpty ? ["request_size=0"] : []),
      `server_name=${wish.serverName ?? serverHost}`,
      `set_hostname=${wish.serverName === undefined ? "NULL" : "server_name"}`,
    ];
    return new ProgramClient("ssl_client2", {
      command: mbedtlsProgram("ssl_client2"),
      args,
      lines: [],
      saysFirstOnly: true,
      wrapped: (line) => `GET ${line}`,
    });
  },
  serve: async (wish, files) => {
    const port = await stablePort("udp");
    const own = certificateName("server", "peer", wish);
    const name = `${wish.serverName},${files.chain(own)},${files.privateKey(own)},-,-,required`;
    const args = [
      ...shared(port, wish, files, "server"),
      `exchanges=${wish.lines.length}`,
      "buffer_size=2000",
      "tickets=0",
      ...(wish.serverName === undefined ? [] : [`sni=${name}`]),
    ];
    return startServerProgram({
      name: "ssl_server2",
      command: mbedtlsProgram("ssl_server2"),
      args,
      port,
      ready: /Bind on udp/,
      isAnswer: (_line, heard) => heard.includes(`Successful connection using: ${suites.get(wish.suite)}`),
      closed: /Closing the connection|connection was closed gracefully/,
    });
  },
};

function shared(port: number, wish: Wish, files: KeyFiles, role: "client" | "server"): string[] {
  const psk = role === "client" ? clientPsk(wish) : { identity: pskIdentity, keyHex: pskKeyHex };
  const own = certificateName(role, "peer", wish);
  const showsOwn = role === "server" || wish.credential === "certificates";
  const keys =
    wish.credential === "psk"
      ? [`psk=${psk.keyHex}`, `psk_identity=${psk.identity}`]
      : [
          `ca_file=${files.authority}`,
          `auth_mode=${role === "server" && wish.credential === "server-certificate" ? "none" : "required"}`,
          ...(showsOwn ? [`crt_file=${files.chain(own)}`, `key_file=${files.privateKey(own)}`] : ["crt_file=none", "key_file=none"]),
        ];
  return [
    ...["dtls=1", `server_addr=${loopback}`, `server_port=${port}`, `force_ciphersuite=${suites.get(wish.suite)}`, ...keys],
    ...["read_timeout=8000", `extended_ms=${wish.peerHasEms ? 1 : 0}`],
    ...(wish.peerId === undefined ? [] : ["cid=1", `cid_val=${"c1".repeat(wish.peerId)}`]),
    ...(wish.peerMtu === undefined ? [] : [`mtu=${wish.peerMtu}`]),
    ...(wish.recordSize === undefined ? [] : [`max_frag_len=${wish.recordSize}`]),
  ];
}
