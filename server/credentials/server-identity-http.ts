/** The server's own keys over REST: public keys and certificates for devices to be told of; private keys go in and never come out. */
import { parseCertificate } from "@lwm2m/protocol/dtls/x509/certificate";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import { bodyOf, conflict, entryMembers, entryView, malformed, notFound, realmSchema } from "./security-replies.ts";
import { readIdentity, type ServerIdentity, serverNamePattern } from "./server-identity.ts";
import type { IdentityOutcome, ServerIdentityService } from "./server-identity-service.ts";

export function serverIdentityRoutes(identities: ServerIdentityService): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/server-identities",
      name: "listServerIdentities",
      summary: "What this server shows devices in a handshake, per realm and server name; private keys are not shown",
      query: pageParameters,
      replies: { 200: { description: "A page", schema: pageSchemaOf(viewSchema) } },
      async handle({ query }) {
        const { limit, after = "" } = pageIn(query);
        return pageOf(await identities.list({ limit, after }), limit, viewOf, idOf);
      },
    },
    {
      method: "POST",
      path: "/server-identities",
      name: "createServerIdentity",
      summary: "An identity for one server name (SNI); without a key one is made, without a chain a self-signed certificate",
      body: requestSchema(["serverName"]),
      replies: { 201: { description: "Made; Location names it", schema: viewSchema } },
      async handle(request) {
        const read = readIdentity(bodyOf(request));
        return read.ok ? answer(await identities.create(read.value), request, 201) : malformed(read.faults);
      },
    },
    {
      method: "GET",
      path: "/server-identities/{id}",
      name: "getServerIdentity",
      summary: "One identity of the server, without its private key",
      replies: { 200: { description: "The identity", schema: viewSchema } },
      async handle({ params }) {
        const identity = await identities.find(params["id"] ?? "");
        return identity === undefined ? unknown(params) : { status: 200, body: viewOf(identity) };
      },
    },
    {
      method: "PUT",
      path: "/server-identities/{id}",
      name: "replaceServerIdentity",
      summary:
        "Another key or certificate from the next handshake on; a key left out stays. Live connections go on. The same again changes nothing",
      body: requestSchema([]),
      replies: { 200: { description: "As it is now", schema: viewSchema } },
      async handle(request) {
        const read = readIdentity(bodyOf(request));
        if (!read.ok) return malformed(read.faults);
        return answer(await identities.replace(request.params["id"] ?? "", read.value), request, 200);
      },
    },
    {
      method: "DELETE",
      path: "/server-identities/{id}",
      name: "deleteServerIdentity",
      summary: "Removes the identity of one server name; the one for any name can only be replaced",
      replies: { 204: { description: "Removed" } },
      async handle({ params }) {
        switch (await identities.remove(params["id"] ?? "")) {
          case "removed":
            return { status: 204 };
          case "unknown":
            return unknown(params);
          case "needed":
            return conflict("", "the identity that answers to any server name cannot be removed; replace it");
        }
      },
    },
  ];
}

function answer(outcome: IdentityOutcome, { params }: RouteRequest, status: 200 | 201): Reply {
  if (outcome.ok) {
    const headers = status === 201 ? { Location: `/api/v1/server-identities/${outcome.identity._id}` } : {};
    return { status, headers, body: viewOf(outcome.identity) };
  }
  switch (outcome.reason) {
    case "unknown":
      return unknown(params);
    case "chain":
      return malformed([{ pointer: "/chain", detail: outcome.detail }]);
    case "taken":
      return conflict("/serverName", "this server name has an identity in the realm already");
    case "other-realm":
      return conflict("/realm", "the realm of an identity stays; make another one");
    case "other-name":
      return conflict("/serverName", "the server name of an identity stays; make another one");
  }
}

function unknown(params: RouteRequest["params"]): Reply {
  return notFound("server identity", params["id"]);
}

function viewOf(identity: ServerIdentity): Json {
  const { serverName, publicKey, chain, generated } = identity;
  const [leaf] = chain.map((certificate) => parseCertificate(new Uint8Array(Buffer.from(certificate, "base64"))));
  return {
    ...entryView(identity),
    serverName: serverName === "" ? null : serverName,
    publicKey,
    chain,
    generated,
    notAfter: leaf === undefined ? null : formatInstant(leaf.notAfter),
  };
}

function requestSchema(required: readonly string[]): JsonSchema {
  return {
    type: "object",
    required,
    properties: {
      realm: realmSchema,
      serverName: { type: "string", pattern: serverNamePattern, description: "The SNI name; the identity for any name has none" },
      privateKey: { type: "string", minLength: 1, maxLength: 16_384, writeOnly: true, description: "PEM: PKCS #8 or SEC 1" },
      chain: { type: "string", minLength: 1, maxLength: 65_536, description: "PEM certificates of that key, leaf first, without the root" },
    },
    additionalProperties: false,
  };
}

const viewSchema: JsonSchema = {
  type: "object",
  required: ["id", "realm", "serverName", "publicKey", "chain", "generated", "notAfter", "createdAt", "updatedAt"],
  properties: {
    ...entryMembers,
    serverName: { type: ["string", "null"], description: "Null for the identity that answers to any name" },
    publicKey: { type: "string", format: "byte", description: "SubjectPublicKeyInfo: resource 4 of a device's RPK account" },
    chain: { type: "array", items: { type: "string", format: "byte" }, description: "The first: resource 4 of a device's X.509 account" },
    generated: { type: "boolean", description: "The key was made by this server" },
    notAfter: { type: ["string", "null"], format: "date-time" },
  },
  additionalProperties: false,
};
