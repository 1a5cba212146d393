/** Credentials of devices over REST; keys go in and never come out. */
import { findUtf8Between } from "@lwm2m/protocol/bytes/utf8";
import { parseCertificate } from "@lwm2m/protocol/dtls/x509/certificate";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Realm } from "../security/device-credentials.ts";
import type { Json } from "../storage/collection.ts";
import { type Credential, type CredentialRequest, credentialLimits, readCredential, sha256Hex } from "./credential.ts";
import type { ChangeOutcome, CredentialService } from "./credential-service.ts";
import {
  bodyOf,
  conflict,
  dropParameter,
  entryMembers,
  entryView,
  malformed,
  notFound,
  realmSchema,
  wantsDrop,
} from "./security-replies.ts";

export function credentialRoutes(credentials: CredentialService): readonly Route[] {
  return [...looks(credentials), ...changes(credentials)];
}

const realmParameter: JsonSchema = { type: "string", enum: ["server", "bootstrap"] };

function looks(credentials: CredentialService): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/credentials",
      name: "listCredentials",
      summary: "Credentials in the order of their making, all or those of one endpoint name; keys are not shown",
      query: { endpoint: { type: "string" }, realm: realmParameter, ...pageParameters },
      replies: { 200: { description: "A page", schema: pageSchemaOf(viewSchema) } },
      async handle({ query }) {
        const { limit, after = "" } = pageIn(query);
        return pageOf(await credentials.list({ limit, after, ...endpointIn(query), ...realmOf(query) }), limit, viewOf, idOf);
      },
    },
    {
      method: "GET",
      path: "/credentials/{id}",
      name: "getCredential",
      summary: "One credential, without its key",
      replies: { 200: { description: "The credential", schema: viewSchema } },
      async handle({ params }) {
        const credential = await credentials.find(params["id"] ?? "");
        return credential === undefined ? unknown(params) : { status: 200, body: viewOf(credential) };
      },
    },
  ];
}

function changes(credentials: CredentialService): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/credentials",
      name: "createCredential",
      summary:
        "Lets a device in by a pre-shared key, a raw public key or a certificate of its own; its name is refused over plain CoAP from then on",
      body: requestSchema,
      replies: { 201: { description: "Made; Location names it", schema: viewSchema } },
      async handle(request) {
        const read = readCredential(bodyOf(request));
        if (!read.ok) return malformed(read.faults);
        return answer(await credentials.create(read.value), read.value, request, 201);
      },
    },
    {
      method: "PUT",
      path: "/credentials/{id}",
      name: "replaceCredential",
      summary: "Replaces a credential, which frees its former identity; a key left out stays. The same again changes nothing",
      query: dropParameter,
      body: requestSchema,
      replies: { 200: { description: "As it is now", schema: viewSchema } },
      async handle(request) {
        const read = readCredential(bodyOf(request));
        if (!read.ok) return malformed(read.faults);
        return answer(await credentials.replace(request.params["id"] ?? "", read.value, wantsDrop(request)), read.value, request, 200);
      },
    },
    {
      method: "DELETE",
      path: "/credentials/{id}",
      name: "deleteCredential",
      summary: "Removes a credential; the device is not let in by it any more, and its live connections end unless told otherwise",
      query: dropParameter,
      replies: { 204: { description: "Removed" } },
      async handle(request) {
        return (await credentials.remove(request.params["id"] ?? "", wantsDrop(request))) ? { status: 204 } : unknown(request.params);
      },
    },
    {
      method: "DELETE",
      path: "/credentials",
      name: "deleteCredentials",
      summary: "Removes every credential of one endpoint name; after the last one anybody may use the name over plain CoAP",
      query: { endpoint: { type: "string" }, realm: realmParameter, ...dropParameter },
      requiredQuery: ["endpoint"],
      replies: { 200: { description: "How many there were", schema: removedSchema } },
      async handle(request) {
        const { realm } = realmOf(request.query);
        const removed = await credentials.removeAll(String(request.query["endpoint"]), realm, wantsDrop(request));
        return { status: 200, body: { removed } };
      },
    },
  ];
}

function endpointIn(query: RouteRequest["query"]): { readonly endpoint?: string } {
  return query["endpoint"] === undefined ? {} : { endpoint: String(query["endpoint"]) };
}

function realmOf(query: RouteRequest["query"]): { readonly realm?: Realm } {
  const { realm } = query;
  return realm === "server" || realm === "bootstrap" ? { realm } : {};
}

function answer(outcome: ChangeOutcome, { kind, realm }: CredentialRequest, { params }: RouteRequest, status: 200 | 201): Reply {
  if (outcome.ok) {
    const { credential } = outcome;
    const headers = status === 201 ? { Location: `/api/v1/credentials/${credential._id}` } : {};
    return { status, headers, body: viewOf(credential) };
  }
  switch (outcome.reason) {
    case "unknown":
      return unknown(params);
    case "key-missing":
      return malformed([{ pointer: "", detail: "key or keyHex is missing" }]);
    case "other-realm":
      return conflict("/realm", "the realm of a credential stays; make another one");
    case "other-kind":
      return conflict("/kind", "the kind of a credential stays; make another one");
    case "taken": {
      const owner = outcome.owner === undefined ? "another credential" : `the endpoint name ${JSON.stringify(outcome.owner)}`;
      return conflict(
        `/${shownMember[kind]}`,
        `this ${shownMember[kind]} belongs to ${owner} in the realm ${realm}; it can belong to one only`,
      );
    }
  }
}

const shownMember = { psk: "identity", rpk: "publicKey", x509: "certificate" } as const;

function unknown(params: RouteRequest["params"]): Reply {
  return notFound("credential", params["id"]);
}

function viewOf(credential: Credential): Json {
  const { endpoint, kind, shown } = credential;
  return { ...entryView(credential), endpoint, kind, ...shownView(kind, shown) };
}

function shownView(kind: Credential["kind"], shown: string): { readonly [member: string]: Json } {
  const bytes = new Uint8Array(Buffer.from(shown, "base64"));
  switch (kind) {
    case "psk":
      return { identity: findUtf8Between(bytes, 0, bytes.length) ?? null, identityBase64: shown };
    case "rpk":
      return { publicKey: shown, sha256: sha256Hex(bytes) };
    case "x509": {
      const { commonName, notAfter } = parseCertificate(bytes);
      return { certificate: shown, sha256: sha256Hex(bytes), commonName: commonName ?? null, notAfter: formatInstant(notAfter) };
    }
  }
}

const text: JsonSchema = { type: "string", minLength: 1, maxLength: 32_768 };
const { pskIdentityBytes, leastPskBytes, mostPskBytes, endpointBytes } = credentialLimits;
const keyLength = `${leastPskBytes} to ${mostPskBytes} bytes`;

const requestSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "kind"],
  properties: {
    realm: realmSchema,
    endpoint: { type: "string", minLength: 1, description: `The one endpoint name it stands for, at most ${endpointBytes} bytes` },
    kind: { enum: ["psk", "rpk", "x509"] },
    identity: { ...text, description: `Of a psk: text of 1 to ${pskIdentityBytes} bytes` },
    identityBase64: { ...text, format: "byte", description: "The same as bytes of any kind" },
    key: { ...text, format: "byte", writeOnly: true, description: `Of a psk: ${keyLength}` },
    keyHex: { ...text, writeOnly: true, description: "The same in hexadecimal" },
    publicKey: { ...text, description: "Of an rpk: SubjectPublicKeyInfo, PEM or base64 of DER" },
    certificate: { ...text, description: "Of an x509: the device's own certificate, PEM or base64 of DER; it needs no authority" },
  },
  additionalProperties: false,
};

const viewSchema: JsonSchema = {
  type: "object",
  required: ["id", "realm", "endpoint", "kind", "createdAt", "updatedAt"],
  properties: {
    ...entryMembers,
    endpoint: { type: "string" },
    kind: { enum: ["psk", "rpk", "x509"] },
    identity: { type: ["string", "null"], description: "Null for bytes that are no text" },
    identityBase64: { type: "string", format: "byte" },
    publicKey: { type: "string", format: "byte" },
    certificate: { type: "string", format: "byte" },
    sha256: { type: "string" },
    commonName: { type: ["string", "null"] },
    notAfter: { type: "string", format: "date-time" },
  },
  additionalProperties: false,
};

const removedSchema: JsonSchema = { type: "object", required: ["removed"], properties: { removed: { type: "integer" } } };
