/** CoAP messages as the RFCs show them, and datagrams that are none. */

export interface Message {
  readonly type: number;
  readonly code: number;
  readonly messageId: number;
  readonly token: string;
  readonly options: readonly (readonly [number, string])[];
  readonly payload: string;
}

const text = (value: string): string => Buffer.from(value).toString("hex");

export const vectors: readonly { readonly source: string; readonly hex: string; readonly message: Message }[] = [
  {
    source: "RFC 7252 appendix A, figure 16: GET /temperature",
    hex: "40017d34bb74656d7065726174757265",
    message: { type: 0, code: 0x01, messageId: 0x7d34, token: "", options: [[11, text("temperature")]], payload: "" },
  },
  {
    source: "RFC 7252 appendix A, figure 16: piggybacked 2.05",
    hex: "60457d34ff32322e332043",
    message: { type: 2, code: 0x45, messageId: 0x7d34, token: "", options: [], payload: text("22.3 C") },
  },
  {
    source: "RFC 7252 appendix A, figure 17: GET with token 0x20",
    hex: "41017d3520bb74656d7065726174757265",
    message: { type: 0, code: 0x01, messageId: 0x7d35, token: "20", options: [[11, text("temperature")]], payload: "" },
  },
  {
    source: "RFC 7252 appendix A, figure 20: separate 2.05, confirmable",
    hex: "4145ad7b53ff32322e332043",
    message: { type: 0, code: 0x45, messageId: 0xad7b, token: "53", options: [], payload: text("22.3 C") },
  },
  {
    source: "RFC 7252 appendix A, figure 20: empty acknowledgement",
    hex: "60007d38",
    message: { type: 2, code: 0, messageId: 0x7d38, token: "", options: [], payload: "" },
  },
  {
    source: "RFC 7252 appendix A, figure 22: NON GET",
    hex: "51017d4075bb74656d7065726174757265",
    message: { type: 1, code: 0x01, messageId: 0x7d40, token: "75", options: [[11, text("temperature")]], payload: "" },
  },
  {
    source: "RFC 7252 §4.3: RST",
    hex: "70001234",
    message: { type: 3, code: 0, messageId: 0x1234, token: "", options: [], payload: "" },
  },
  {
    source: "RFC 7252 §3.1: one-byte extension of a delta",
    hex: "4402000101020304b272644965703d6e6f64652d31d2204142ff00",
    message: {
      type: 0,
      code: 0x02,
      messageId: 1,
      token: "01020304",
      options: [
        [11, text("rd")],
        [15, text("ep=node-1")],
        [60, "4142"],
      ],
      payload: "00",
    },
  },
  {
    source: "RFC 7252 §3.1: one-byte extension of a length, empty and repeated options",
    hex: `40030002b0000d03${text("0123456789abcdef")}`,
    message: {
      type: 0,
      code: 0x03,
      messageId: 2,
      token: "",
      options: [
        [11, ""],
        [11, ""],
        [11, text("0123456789abcdef")],
      ],
      payload: "",
    },
  },
  {
    source: "RFC 7252 §3.1: two-byte extensions of delta and length",
    hex: `48450003a1a2a3a4a5a6a7a8e30017010203ee059f0001${"61".repeat(270)}ffff`,
    message: {
      type: 0,
      code: 0x45,
      messageId: 3,
      token: "a1a2a3a4a5a6a7a8",
      options: [
        [292, "010203"],
        [2_000, "61".repeat(270)],
      ],
      payload: "ff",
    },
  },
  {
    source: "RFC 7959 §3.1: notification with Observe, ETag, Content-Format and Block2",
    hex: "54451e84deadbeef41aa2103622d16b10eff61",
    message: {
      type: 1,
      code: 0x45,
      messageId: 0x1e84,
      token: "deadbeef",
      options: [
        [4, "aa"],
        [6, "03"],
        [12, "2d16"],
        [23, "0e"],
      ],
      payload: "61",
    },
  },
];

interface Fault {
  readonly source: string;
  readonly hex: string;
  readonly code: string;
  readonly answer: "silence" | "reset";
}

export const faults: readonly Fault[] = [
  { source: "RFC 7252 §3: nothing", hex: "", code: "too-short", answer: "silence" },
  { source: "RFC 7252 §3: three bytes", hex: "400112", code: "too-short", answer: "silence" },
  { source: "RFC 7252 §3: version 0", hex: "00010001", code: "version", answer: "silence" },
  { source: "RFC 7252 §3: version 2", hex: "80010001", code: "version", answer: "silence" },
  { source: "RFC 7252 §3: token length 9, CON", hex: "49010001010203040506070809", code: "token-length", answer: "reset" },
  { source: "RFC 7252 §3: token length 15, NON", hex: "5f010001", code: "token-length", answer: "silence" },
  { source: "RFC 7252 §3: token cut short", hex: "4401000101", code: "truncated-token", answer: "reset" },
  { source: "RFC 7252 §3: marker without payload, CON", hex: "40010001ff", code: "empty-payload", answer: "reset" },
  { source: "RFC 7252 §3: marker without payload, ACK", hex: "60450001ff", code: "empty-payload", answer: "silence" },
  { source: "RFC 7252 §3.1: option longer than the message", hex: "40010001b57264", code: "truncated-option", answer: "reset" },
  { source: "RFC 7252 §3.1: delta nibble 15", hex: "40010001f100", code: "option-header", answer: "reset" },
  { source: "RFC 7252 §3.1: length nibble 15", hex: "400100011f00", code: "option-header", answer: "reset" },
  { source: "RFC 7252 §3.1: delta extension missing", hex: "40010001d0", code: "truncated-option", answer: "reset" },
  { source: "RFC 7252 §3.1: two-byte length extension cut short", hex: "400100010e00", code: "truncated-option", answer: "reset" },
  { source: "RFC 7252 §3.1: option number above 65535", hex: "40010001e0ffffe0ffff", code: "option-number", answer: "reset" },
  { source: "RFC 7252 §4.1: empty message with a token", hex: "4100000101", code: "empty-with-content", answer: "reset" },
  { source: "RFC 7252 §4.1: empty message with bytes behind it", hex: "6000000100", code: "empty-with-content", answer: "silence" },
  { source: "RFC 7252 §4.3: empty NON", hex: "50000001", code: "type", answer: "silence" },
  { source: "RFC 7252 §4.2: ACK with a request", hex: "60010001", code: "type", answer: "silence" },
  { source: "RFC 7252 §4.2: RST with a response", hex: "70450001", code: "type", answer: "silence" },
  { source: "RFC 7252 §3: code class 1 is reserved", hex: "40210001", code: "code", answer: "reset" },
  { source: "RFC 7252 §3: code class 3 is reserved", hex: "40610001", code: "code", answer: "reset" },
  { source: "RFC 7252 §3: code class 6 is reserved", hex: "50c00001", code: "code", answer: "silence" },
  { source: "RFC 7252 §3: code class 7 is for TCP", hex: "40e10001", code: "code", answer: "reset" },
  { source: "bound: 129 options", hex: `40010001${"00".repeat(129)}`, code: "too-many-options", answer: "reset" },
];
