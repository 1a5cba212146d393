import assert from "node:assert/strict";
import { test } from "node:test";
import { AlertDescription, CertificateType, ExtensionType } from "../constants.ts";
import type { ClientHello, ServerHello } from "../messages.ts";
import { bytesOf } from "../testing/recorded-messages.ts";
import { type DtlsFault, DtlsFormatError } from "./format-error.ts";
import {
  decodeCertificate,
  decodeClientHello,
  decodeClientKeyExchange,
  decodeEmpty,
  decodeFinished,
  decodeServerHello,
  decodeServerKeyExchange,
  encodeCertificate,
  encodeClientHello,
  encodeServerHello,
  signedParameters,
} from "./handshake-codec.ts";
import { aClientHello, aServerHello, everyExtension, ofServers, random, type Sample, samples } from "./handshake-samples.ts";

const isHello = ({ name }: Sample): boolean => /: [12] of|Hello, every/.test(name);

/** Where a hello may end before its extensions (RFC 5246 §7.4.1.2), or -1. */
function endWithoutExtensions(each: Sample): number {
  if (!isHello(each)) return -1;
  const message = each.decode(each.body) as ClientHello | ServerHello;
  const bare = { ...message, extensions: {} };
  return "cookie" in bare ? encodeClientHello(bare).length : encodeServerHello(bare).length;
}

function refuses(act: () => unknown, code: DtlsFault, what: string): void {
  const alert = code === "value" ? AlertDescription.illegalParameter : AlertDescription.decodeError;
  assert.throws(act, (error) => error instanceof DtlsFormatError && error.code === code && error.alert === alert, what);
}

test("RFC 5246 §7.4: every recorded message and every form of ours is read and written back: to the same bytes, hellos to the same content", () => {
  const kinds = new Set<string>();
  for (const each of samples()) {
    kinds.add(each.name.replace(/.*: /, "").replace(/ of the.*/, ""));
    if (isHello(each)) assert.deepEqual(each.decode(each.rewrite(each.body)), withoutUnknown(each.decode(each.body)), each.name);
    else assert.deepEqual(each.rewrite(each.body), each.body, each.name);
  }
  for (const type of [1, 2, 3, 4, 11, 12, 13, 14, 15, 16]) assert.ok(kinds.has(String(type)), `no recorded message of type ${type}`);
});

/** What cannot be written again: the types of extensions that are not spoken here. */
function withoutUnknown(message: unknown): unknown {
  const hello = message as ClientHello | ServerHello;
  const { unknown: _, ...known } = hello.extensions;
  return { ...hello, extensions: known };
}

test("RFC 5246 §4.3: each message cut at every byte is decode_error, except a hello at the end of its fixed part; one byte more likewise", () => {
  for (const each of samples()) {
    const bare = endWithoutExtensions(each);
    for (let length = 0; length < each.body.length; length++) {
      const cut = each.body.subarray(0, length);
      if (length === bare) assert.deepEqual((each.decode(cut) as ClientHello).extensions, {}, each.name);
      else assert.throws(() => each.decode(cut), DtlsFormatError, `${each.name} cut at ${length}`);
    }
    assert.throws(() => each.decode(Uint8Array.of(...each.body, 0)), DtlsFormatError, `${each.name} with a byte more`);
  }
});

test("RFC 5246 §7.2.2: 100,000 mutated messages throw DtlsFormatError or nothing, and what they give can be written and read again", () => {
  const all = samples();
  let read = 0;
  for (let i = 0; i < 100_000; i++) {
    const each = random.pick(all);
    const bytes = mutated(each.body);
    try {
      const message = each.decode(bytes);
      read++;
      assert.deepEqual(each.decode(each.rewrite(bytes)), isHello(each) ? withoutUnknown(message) : message, each.name);
    } catch (error) {
      if (!(error instanceof DtlsFormatError)) throw new Error(`${each.name}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
    }
  }
  // Both outcomes are met often, otherwise the run would prove little.
  assert.ok(read > 10_000 && read < 90_000, `${read} read`);
});

function mutated(body: Uint8Array): Uint8Array {
  const bytes = [...body];
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = random.integer(bytes.length + 1);
    const kind = random.integer(4);
    if (kind === 0) bytes.splice(at, random.integer(4));
    else if (kind === 1) bytes.splice(at, 0, ...random.bytes(random.integer(4)));
    else bytes[Math.min(at, Math.max(0, bytes.length - 1))] = kind === 2 ? random.integer(256) : random.pick([0, 1, 127, 255]);
  }
  return Uint8Array.from(bytes);
}

/** A ClientHello whose extensions are these bytes, with their length in front. */
function helloWith(extensions: string): Uint8Array {
  const bytes = bytesOf(extensions);
  return Uint8Array.of(...encodeClientHello(aClientHello()), bytes.length >>> 8, bytes.length & 0xff, ...bytes);
}

test("RFC 5246 §7.4.1.4: what is wrong with an extension, and what the alert says", () => {
  const wrong: readonly [string, DtlsFault, string][] = [
    ["0017 0000 0017 0000", "duplicate-extension", "extended_master_secret twice"],
    ["4242 0000 4242 0000", "duplicate-extension", "an unknown one twice"],
    ["0017 0001 00", "trailing-bytes", "extended_master_secret with content"],
    ["0016 0001 00", "trailing-bytes", "encrypt_then_mac with content"],
    ["0001 0001 00", "value", "max_fragment_length 0"],
    ["0001 0001 05", "value", "max_fragment_length 5"],
    ["0001 0002 0101", "trailing-bytes", "max_fragment_length of two bytes"],
    ["001c 0002 003f", "value", "record_size_limit 63"],
    ["001c 0001 40", "truncated", "record_size_limit of a byte"],
    ["000a 0002 0000", "length", "supported_groups, empty"],
    ["000a 0005 0003 000017", "length", "supported_groups, odd"],
    ["000b 0002 0101", "value", "ec_point_formats without uncompressed"],
    ["000b 0001 00", "length", "ec_point_formats, empty"],
    ["000d 0002 0000", "length", "signature_algorithms, empty"],
    ["0013 0001 00", "length", "client_certificate_type, empty"],
    ["0036 0000", "truncated", "connection_id without its length"],
    ["0036 0003 01 aabb", "trailing-bytes", "connection_id with bytes behind it"],
    ["ff01 0000", "truncated", "renegotiation_info without its length"],
    ["0000 0002 0000", "length", "server_name without a name"],
    ["0000 0005 0003 00 0000", "length", "server_name, empty"],
    ["0000 0006 0004 00 0001 20", "value", "server_name with a blank"],
    ["0000 0006 0004 00 0001 c3", "value", "server_name beyond ASCII"],
    ["0000 000a 0008 00 0001 61 00 0001 62", "value", "two host names"],
    ["0000 0004 0005 00 0001 61", "truncated", "server_name longer than its extension"],
    ["0017 0001", "truncated", "longer than the list"],
    ["00", "truncated", "half a type"],
  ];
  for (const [extensions, code, what] of wrong) refuses(() => decodeClientHello(helloWith(extensions)), code, what);
});

test("RFC 6066 §3, RFC 5746, RFC 7250 §3: names of other types, unknown extensions and lists are read, and unknown ones listed in order", () => {
  const { extensions } = decodeClientHello(helloWith("5a5a 0003 010203 0000 000a 0008 01 0001 61 00 0001 62 0010 0000 0014 0003 02 0200"));
  assert.deepEqual(extensions, { serverName: "b", serverCertificateTypes: [2, 0], unknown: [0x5a5a, 16] });
  assert.deepEqual(decodeClientHello(helloWith("")).extensions, {});
});

test("RFC 5246 §7.4.1.2: the limits of a ClientHello's own fields", () => {
  const hello = aClientHello();
  const wrong: readonly [Partial<ClientHello>, DtlsFault][] = [
    [{ sessionId: new Uint8Array(33) }, "length"],
    [{ cipherSuites: [] }, "length"],
    [{ compressionMethods: [] }, "length"],
    [{ compressionMethods: [1] }, "value"],
  ];
  for (const [change, code] of wrong)
    refuses(() => decodeClientHello(encodeClientHello({ ...hello, ...change })), code, JSON.stringify(change));
  assert.deepEqual(decodeClientHello(encodeClientHello({ ...hello, cookie: new Uint8Array(255) })).cookie.length, 255);
  assert.deepEqual(decodeClientHello(encodeClientHello({ ...hello, compressionMethods: [1, 0] })).compressionMethods, [1, 0]);
});

test("RFC 5246 §7.4.1.4.1: signature_algorithms in a ServerHello is illegal_parameter", () => {
  const hello = encodeServerHello(aServerHello({ signatureAlgorithms: [0x0403] }));
  refuses(() => decodeServerHello(hello), "value", "signature_algorithms");
});

test("RFC 5077 §3.2, RFC 6066 §3: in a ServerHello the ticket and the name are empty, and anything in them is decode_error", () => {
  for (const type of [ExtensionType.sessionTicket, ExtensionType.serverName]) {
    const hello = Uint8Array.of(...encodeServerHello(aServerHello()), 0, 5, 0, type, 0, 1, 7);
    refuses(() => decodeServerHello(hello), "trailing-bytes", String(type));
  }
  assert.deepEqual(decodeServerHello(encodeServerHello(aServerHello(ofServers))).extensions, ofServers);
});

test("RFC 5246 §7.4.2, RFC 7250 §3: no certificate is the same three bytes in both forms; an empty one inside a chain is an error", () => {
  const none = bytesOf("000000");
  assert.deepEqual(decodeCertificate(none, CertificateType.x509), { type: CertificateType.x509, chain: [] });
  assert.deepEqual(decodeCertificate(none, CertificateType.rawPublicKey), { type: CertificateType.rawPublicKey, publicKey: undefined });
  assert.deepEqual(encodeCertificate({ type: CertificateType.rawPublicKey, publicKey: undefined }), none);
  refuses(() => decodeCertificate(bytesOf("000003 000000"), CertificateType.x509), "length", "an empty certificate");
});

test("RFC 8422 §5.4: only named curves, and a share of at least one byte", () => {
  for (const type of ["01", "02", "04"]) {
    refuses(() => decodeServerKeyExchange(bytesOf(`0000 ${type} 0017 01 aa`), "ecdhe_psk"), "value", type);
  }
  refuses(() => decodeServerKeyExchange(bytesOf("0000 03 0017 00"), "ecdhe_psk"), "length", "no share");
  refuses(() => decodeClientKeyExchange(bytesOf("00"), "ecdhe_ecdsa"), "length", "no share");
});

test("RFC 8422 §5.4: the signature covers client random, server random and the parameters, in this order", () => {
  const parameters = { group: 23, publicKey: Uint8Array.of(0xaa, 0xbb) };
  const signed = signedParameters(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), parameters);
  assert.equal(Buffer.from(signed).toString("hex"), `${"01".repeat(32)}${"02".repeat(32)}03001702aabb`);
});

test("RFC 5246 §7.4.9, §7.4.5: Finished is twelve bytes, ServerHelloDone none", () => {
  assert.deepEqual(decodeFinished(new Uint8Array(12).fill(3)), new Uint8Array(12).fill(3));
  for (let length = 0; length < 12; length++) refuses(() => decodeFinished(new Uint8Array(length)), "truncated", `${length} bytes`);
  refuses(() => decodeFinished(new Uint8Array(13)), "trailing-bytes", "13 bytes");
  decodeEmpty(new Uint8Array(0), "ServerHelloDone");
  refuses(() => decodeEmpty(new Uint8Array(1), "ServerHelloDone"), "trailing-bytes", "ServerHelloDone with content");
});

test("what is decoded outlives the datagram it came in", () => {
  const body = encodeClientHello(aClientHello(everyExtension));
  const hello = decodeClientHello(body);
  body.fill(0);
  assert.deepEqual(hello, aClientHello(everyExtension));
});
