/** What random and mutated datagrams begin with. */

/** Requests, responses, blocks, notifications, empty messages, options of later RFCs: what mutations start from. */
export const seeds = [
  "4802000101020304050607 08b2726411283765703d6e6f6465",
  "4801000201020304050607 0860b161",
  "48030003010203040506070851 61d1030aff",
  "4803000301020304050607086161d10308ff00000000000000000000000000000000",
  "4803000301020304050607086161d10310ff0000",
  "584500040102030405060708 6105c10eff6161",
  "48450005010203040506070841aa2107d10408ff61616161616161616161616161616161",
  "6845000601020304050607 08ff61",
  "4405000a01020304b161c10ad10a1eff8181",
  "4102000b77b161d1ea02",
  "4102000c77b161d8e40102030405060708",
  "4103000d7712abcd50 6161",
  "449d000e01020304d1010a",
  "60000007",
  "70000008",
  "40000009",
].map(bytesOf);

/** Answers to our own requests: code, options, payload. Whole, in blocks, an observation, Echo, refusals that negotiate, a Location. */
export const answers = [
  "45 ff68656c6c6f",
  `45 61 01 d10a0e ff${"61".repeat(16)}`,
  `45 d10a08 ff${"61".repeat(16)}`,
  "45 d10a10 ff6161",
  "45 6101 ff31",
  "5f d10e08",
  "5f d10e0e",
  "44 d10e10",
  "8d d10e02",
  "88",
  "81 d8ef0102030405060708",
  "9d d10101",
  "a3 d10101",
  "41 827264026131",
].map(bytesOf);

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}
