/** Trust anchors over REST. */
import { parseCertificate } from "@lwm2m/protocol/dtls/x509/certificate";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
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
import { nameSources, readTrustAnchor, type TrustAnchorEntry } from "./trust-anchor.ts";
import type { AnchorOutcome, TrustAnchorService } from "./trust-anchor-service.ts";

export function trustAnchorRoutes(anchors: TrustAnchorService): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/trust-anchors",
      name: "listTrustAnchors",
      summary: "Authorities whose certificates let devices in, in the order of their making",
      query: pageParameters,
      replies: { 200: { description: "A page", schema: pageSchemaOf(viewSchema) } },
      async handle({ query }) {
        const { limit, after = "" } = pageIn(query);
        return pageOf(await anchors.list({ limit, after }), limit, viewOf, idOf);
      },
    },
    {
      method: "POST",
      path: "/trust-anchors",
      name: "createTrustAnchor",
      summary: "Lets devices in whose certificate chain ends at this authority, under the endpoint name the rule finds in it",
      body: requestSchema,
      replies: { 201: { description: "Made; Location names it", schema: viewSchema } },
      async handle(request) {
        const read = readTrustAnchor(bodyOf(request));
        return read.ok ? answer(await anchors.create(read.value), request, 201) : malformed(read.faults);
      },
    },
    {
      method: "GET",
      path: "/trust-anchors/{id}",
      name: "getTrustAnchor",
      summary: "One trust anchor",
      replies: { 200: { description: "The anchor", schema: viewSchema } },
      async handle({ params }) {
        const anchor = await anchors.find(params["id"] ?? "");
        return anchor === undefined ? unknown(params) : { status: 200, body: viewOf(anchor) };
      },
    },
    {
      method: "PUT",
      path: "/trust-anchors/{id}",
      name: "replaceTrustAnchor",
      summary: "Replaces the authority or its rule. The same again changes nothing",
      query: dropParameter,
      body: requestSchema,
      replies: { 200: { description: "As it is now", schema: viewSchema } },
      async handle(request) {
        const read = readTrustAnchor(bodyOf(request));
        if (!read.ok) return malformed(read.faults);
        return answer(await anchors.replace(request.params["id"] ?? "", read.value, wantsDrop(request)), request, 200);
      },
    },
    {
      method: "DELETE",
      path: "/trust-anchors/{id}",
      name: "deleteTrustAnchor",
      summary: "Trusts the authority no more; live connections under it end unless told otherwise",
      query: dropParameter,
      replies: { 204: { description: "Removed" } },
      async handle(request) {
        return (await anchors.remove(request.params["id"] ?? "", wantsDrop(request))) ? { status: 204 } : unknown(request.params);
      },
    },
  ];
}

function answer(outcome: AnchorOutcome, { params }: RouteRequest, status: 200 | 201): Reply {
  if (outcome.ok) {
    const headers = status === 201 ? { Location: `/api/v1/trust-anchors/${outcome.anchor._id}` } : {};
    return { status, headers, body: viewOf(outcome.anchor) };
  }
  switch (outcome.reason) {
    case "unknown":
      return unknown(params);
    case "taken":
      return conflict("/certificate", "the key of this authority is a trust anchor of the realm already");
    case "other-realm":
      return conflict("/realm", "the realm of a trust anchor stays; make another one");
  }
}

function unknown(params: RouteRequest["params"]): Reply {
  return notFound("trust anchor", params["id"]);
}

function viewOf(anchor: TrustAnchorEntry): Json {
  const { certificate, lookup, source, prefix } = anchor;
  const { commonName, notAfter } = parseCertificate(new Uint8Array(Buffer.from(certificate, "base64")));
  const shown = { certificate, publicKeySha256: lookup, commonName: commonName ?? null, notAfter: formatInstant(notAfter) };
  return { ...entryView(anchor), ...shown, endpointFrom: source, prefix };
}

const requestSchema: JsonSchema = {
  type: "object",
  required: ["certificate", "endpointFrom"],
  properties: {
    realm: realmSchema,
    certificate: { type: "string", minLength: 1, maxLength: 32_768, description: "Of the authority, PEM or base64 of DER" },
    endpointFrom: {
      enum: [...nameSources],
      description:
        "Which name in the device's certificate is its endpoint name; of several alternative names exactly one must fit the prefix",
    },
    prefix: {
      type: "string",
      description: "Only endpoint names that begin so; they are refused over plain CoAP. Empty, the default: any name",
    },
  },
  additionalProperties: false,
};

const viewSchema: JsonSchema = {
  type: "object",
  required: ["id", "realm", "certificate", "publicKeySha256", "endpointFrom", "prefix", "createdAt", "updatedAt"],
  properties: {
    ...entryMembers,
    certificate: { type: "string", format: "byte" },
    publicKeySha256: { type: "string" },
    commonName: { type: ["string", "null"] },
    notAfter: { type: "string", format: "date-time" },
    endpointFrom: { enum: [...nameSources] },
    prefix: { type: "string" },
  },
  additionalProperties: false,
};
