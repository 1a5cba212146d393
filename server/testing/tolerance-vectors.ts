/** What devices send beyond the specifications, by the code it is recorded under. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { PayloadTolerance } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { RegisterTolerance } from "@lwm2m/protocol/lwm2m/register-payload";
import type { QueryTolerance } from "@lwm2m/protocol/lwm2m/register-query";
import type { AnswerTolerance } from "../operations/answer-values.ts";
import type { DiscoverTolerance } from "../operations/discovered-links.ts";
import type { OperationRequest } from "../operations/operation.ts";
import type { ResponseTolerance } from "../operations/operation-answer.ts";
import type { RegistrationTolerance } from "../registration/registration-coap.ts";
import { bytes, content } from "./scripted-device.ts";

export const payloadOf = (hexOrText: string): Uint8Array =>
  hexOrText.startsWith("hex ") ? Buffer.from(hexOrText.slice(4).replaceAll(" ", ""), "hex") : bytes(hexOrText);
export const answer = (contentFormat: number | undefined, payload: string): OutgoingResponse => ({
  code: ResponseCode.content,
  payload: payloadOf(payload),
  ...(contentFormat === undefined ? {} : { contentFormat }),
});
const { text, tlv, senmlJson, senmlCbor, lwm2mJson, lwm2mCbor } = ContentFormat;

/** An answer to a Read or a notification: what devices send (facts: Eclipse Leshan's issues, see the codecs), and the code it has. */
export const answers: readonly (readonly [PayloadTolerance | AnswerTolerance, string, number | undefined, string])[] = [
  ["legacy-content-format", "/3/0/9", 1542, "hex c10964"],
  ["tlv-missing-instance", "/3", tlv, "hex c10964"],
  ["tlv-bare-resource-instance", "/3/0/6", tlv, "hex 410105"],
  ["tlv-boolean-length", "/3342/0/5500", tlv, "hex e4157c00000001"],
  ["single-value-for-multiple", "/3/0/6", text, "5"],
  ["float-for-integer", "/3/0/9", senmlJson, '[{"n":"/3/0/9","v":1.0e2}]'],
  ["time-with-fraction", "/3/0/13", senmlJson, '[{"n":"/3/0/13","v":1600000000.9}]'],
  ["number-for-boolean", "/3342/0/5500", senmlJson, '[{"n":"/3342/0/5500","v":1}]'],
  ["boolean-word", "/3342/0/5500", text, "true"],
  ["text-whitespace", "/3/0/9", text, "100\n"],
  ["text-trailing-nul", "/3/0/9", text, "100\0"],
  ["base64-variant", "/6/0/4", text, "_w"],
  ["objlnk-as-string", "/1/0/10", senmlJson, '[{"n":"/1/0/10","vs":"65:0"}]'],
  ["objlnk-hexadecimal", "/1/0/10", text, "FFFF:FFFF"],
  ["senml-text-label", "/3/0/0", senmlCbor, "hex 81a2616e662f332f302f30613361 61"],
  ["senml-name-without-slash", "/3/0/9", senmlJson, '[{"bn":"3/0/","n":"9","v":100}]'],
  ["senml-trailing-slash", "/3/0/9", senmlJson, '[{"bn":"/3/0/9/","v":100}]'],
  ["json-base-name-without-slash", "/3/0", lwm2mJson, '{"bn":"/3/0","e":[{"n":"9","v":100}]}'],
  ["cbor-relative-keys", "/3/0", lwm2mCbor, "hex a1091864"],
  ["missing-content-format", "/3/0/9", undefined, "100"],
  ["unreadable-value", "/3/0", senmlJson, '[{"bn":"/3/0/","n":"9","v":100},{"n":"13","vs":"yesterday"}]'],
];

/** Of the whole answer to an operation. */
export const responses: readonly (readonly [
  PayloadTolerance | AnswerTolerance | ResponseTolerance | DiscoverTolerance,
  OperationRequest,
  string,
  OutgoingResponse,
])[] = [
  ["unexpected-success-code", { kind: "write", path: "/3/0/14", value: "Z" }, "PUT /3/0/14", { code: ResponseCode.created }],
  ["unexpected-success-code", { kind: "execute", path: "/3/0/4" }, "POST /3/0/4", { code: ResponseCode.content }],
  [
    "location-in-one-segment",
    { kind: "create", path: "/3303", value: {} },
    "POST /3303",
    { code: ResponseCode.created, locationPath: ["/3303/7"] },
  ],
  ["relative-target", { kind: "discover", path: "/3/0" }, "GET /3/0", answer(40, "<3/0>,<3/0/9>")],
  [
    "unasked-path",
    { kind: "readComposite", path: "/", paths: ["/3/0/9"] },
    "FETCH /",
    content('[{"n":"/3/0/9","v":1},{"n":"/3/0/0","vs":"A"}]'),
  ],
  ["float-for-integer", { kind: "readComposite", path: "/", paths: ["/3/0/9"] }, "FETCH /", content('[{"n":"/3/0/9","v":1.0e1}]')],
];

export const registers: readonly (readonly [QueryTolerance | RegisterTolerance | RegistrationTolerance, Partial<OutgoingRequest>])[] = [
  ["joined-query", { query: ["ep=dev-1&lt=300&lwm2m=1.1&b=U"] }],
  ["missing-version", { query: ["ep=dev-1", "lt=300"] }],
  ["missing-lifetime", { query: ["ep=dev-1", "lwm2m=1.1"] }],
  ["version-with-revision", { query: ["ep=dev-1", "lt=300", "lwm2m=1.0.2"] }],
  ["queue-flag-value", { query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U", "Q=1"] }],
  ["sms-plus", { query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "sms=+4912345"] }],
  ["link-whitespace", { payload: bytes("</1/0>, </3/0>") }],
  ["link-empty-part", { payload: bytes("</1/0>,,</3/0>") }],
  ["link-unquoted-value", { payload: bytes('</>;rt="oma.lwm2m";ct=110 112,</3/0>') }],
  ["link-trailing-nul", { payload: bytes("</1/0>,</3/0>\0") }],
  ["root-without-type", { payload: bytes("</>;ct=110,</3/0>") }],
  ["repeated-content-format", { payload: bytes('</>;rt="oma.lwm2m";ct=110;ct=112,</3/0>') }],
  ["relative-target", { payload: bytes("<1/0>,<3/0>") }],
  ["trailing-slash", { payload: bytes("</1/0/>,</3/0>") }],
  ["hidden-object", { payload: bytes("</0/0>,</3/0>") }],
  ["ignored-link", { payload: bytes("</3/0>,</sensors>") }],
  ["empty-path-segment", { path: ["rd", ""] }],
  ["ignored-parameter", { query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U", "0=x"] }],
  ["non-confirmable", { confirmable: false }],
];

export const register: OutgoingRequest = {
  method: Method.post,
  path: ["rd"],
  query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U"],
  contentFormat: 40,
  payload: bytes("</1/0>,</3/0>"),
};
const { contentFormat: _, ...plainRegister } = register;
export const registerWithoutFormat: OutgoingRequest = plainRegister;

export const updates: readonly (readonly [QueryTolerance | RegisterTolerance | RegistrationTolerance, Partial<OutgoingRequest>])[] = [
  ["queue-flag-value", { query: ["b=U", "Q=1"] }],
  ["link-whitespace", { contentFormat: 40, payload: bytes("</1/0>, </3/0>") }],
  ["missing-content-format", { payload: bytes("</1/0>,</3/0>") }],
  ["ignored-parameter", { query: ["0=x"] }],
];

export const sends: readonly (readonly [PayloadTolerance, number, string])[] = [
  ["legacy-content-format", 1543, '{"bn":"/3/0/9","e":[{"v":100}]}'],
  ["float-for-integer", senmlJson, '[{"n":"/3/0/9","v":1.0e2}]'],
  ["number-for-boolean", senmlJson, '[{"n":"/3342/0/5500","v":1}]'],
  ["objlnk-as-string", senmlJson, '[{"n":"/1/0/10","vs":"65:0"}]'],
  ["base64-variant", lwm2mJson, '{"bn":"/6/0/4","e":[{"sv":"_w"}]}'],
  ["senml-text-label", senmlCbor, "hex 81a2616e662f332f302f3061336161"],
  ["senml-name-without-slash", senmlJson, '[{"bn":"3/0/","n":"9","v":100}]'],
  ["senml-trailing-slash", senmlJson, '[{"bn":"/3/0/9/","v":100}]'],
];
