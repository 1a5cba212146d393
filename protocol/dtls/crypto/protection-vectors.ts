/** One record per cipher and header form under fixed keys: a back end that opens them all speaks as the others do. */
import { type KeyPlace, newRecordFacts, type RecordFacts } from "./record-protection.ts";
import { suiteOf } from "./suites.ts";

export interface ProtectionVector {
  readonly suite: number;
  readonly encryptThenMac: boolean;
  /** RFC 9146 §4, the id c1c2c3c4. */
  readonly withId: boolean;
  readonly fragment: string;
}

/** A handshake record, so that the inner type is not the one facts begin with. */
const contentType = 22;
export const vectorContent: Uint8Array = Uint8Array.from({ length: 21 }, (_, i) => 0xa0 + i);
/** Every key is the run of its offsets. */
const keyRow = Uint8Array.from({ length: 80 }, (_, i) => i);
const connectionId = Uint8Array.of(0xc1, 0xc2, 0xc3, 0xc4);

export function placeOf({ suite: id, encryptThenMac, withId }: ProtectionVector): { readonly keys: KeyPlace; readonly facts: RecordFacts } {
  const suite = suiteOf(id);
  if (suite === undefined) throw new Error(`suite ${id} is gone`);
  const keys = { suite, encryptThenMac, bytes: keyRow, macKeyAt: 0, keyAt: 32, ivAt: 64 };
  const facts = { ...newRecordFacts(), contentType, sequence: 2 ** 32 + 5, connectionId };
  return { keys, facts: { ...facts, connectionIdBytes: withId ? connectionId.length : 0 } };
}

export const protectionVectors: readonly ProtectionVector[] = [
  {
    suite: 0xc0a4,
    encryptThenMac: false,
    withId: false,
    fragment: "0001000100000005d532f3a638d4737242e45aa9a45c5a4375bcb45c8fe126ae845c247c62bd1c4d4f2a9d10c1",
  },
  {
    suite: 0xc0a4,
    encryptThenMac: false,
    withId: true,
    fragment: "0001000100000005d532f3a638d4737242e45aa9a45c5a4375bcb45c8f00452540b6e8553bd2619e58df5a892351",
  },
  {
    suite: 0xc0a5,
    encryptThenMac: false,
    withId: false,
    fragment: "00010001000000050abe455b96898a298937f3fb11b7df509a4eced559b84aa23d65c16ff29cec09a7cbb6ab02",
  },
  {
    suite: 0xc0a5,
    encryptThenMac: false,
    withId: true,
    fragment: "00010001000000050abe455b96898a298937f3fb11b7df509a4eced559006d8ada2a12c356c33e2dc37c04ed0a3c",
  },
  {
    suite: 0xc0a8,
    encryptThenMac: false,
    withId: false,
    fragment: "0001000100000005d532f3a638d4737242e45aa9a45c5a4375bcb45c8fa95fcb24c2aa3b0c",
  },
  {
    suite: 0xc0a8,
    encryptThenMac: false,
    withId: true,
    fragment: "0001000100000005d532f3a638d4737242e45aa9a45c5a4375bcb45c8f004bb3d9dfab4c1975",
  },
  {
    suite: 0xc0a9,
    encryptThenMac: false,
    withId: false,
    fragment: "00010001000000050abe455b96898a298937f3fb11b7df509a4eced5593ecd63e16338fd4a",
  },
  {
    suite: 0xc0a9,
    encryptThenMac: false,
    withId: true,
    fragment: "00010001000000050abe455b96898a298937f3fb11b7df509a4eced55900f9e54e17992b53cb",
  },
  {
    suite: 0x00a8,
    encryptThenMac: false,
    withId: false,
    fragment: "000100010000000578599ed8f54889584e594ccfec5af4fbfc92d03e6df523abf1ef6b29ae438a8413c46d48f8",
  },
  {
    suite: 0x00a8,
    encryptThenMac: false,
    withId: true,
    fragment: "000100010000000578599ed8f54889584e594ccfec5af4fbfc92d03e6df05dbb6f1c13bc483fdab8f503b21ca60b",
  },
  {
    suite: 0x00a9,
    encryptThenMac: false,
    withId: false,
    fragment: "0001000100000005e9711bf0d911bed76cd1366fe0707e1a6e3a108672d13e040c07e4e9b08d13f09b40a06eba",
  },
  {
    suite: 0x00a9,
    encryptThenMac: false,
    withId: true,
    fragment: "0001000100000005e9711bf0d911bed76cd1366fe0707e1a6e3a108672dfacc89ff7019981a52860f4f50b4e73d5",
  },
  {
    suite: 0x00ae,
    encryptThenMac: false,
    withId: false,
    fragment:
      "707172737475767778797a7b7c7d7e7f0fa8c3b4647e1e60e941a02154e60504e62338e92bd83bbe10793d07990ab09228e9c4028247289800ce40cb585e7d9e4ee96b0860867a1ff748dcc81ecf2d9d",
  },
  {
    suite: 0x00ae,
    encryptThenMac: false,
    withId: true,
    fragment:
      "707172737475767778797a7b7c7d7e7f0fa8c3b4647e1e60e941a02154e60504ae2efaa95dbadd889cbd51c29611f8a4f420481653931936c8dd26e7d24e44aedcc3e302dfbedaa34da08b734f2bda55",
  },
  {
    suite: 0x00ae,
    encryptThenMac: true,
    withId: false,
    fragment:
      "707172737475767778797a7b7c7d7e7f0fa8c3b4647e1e60e941a02154e60504f75ecf553ca2f6ba664dd58c0b01b078f1dd97e5df6fe905b67ad139a1096487718eaa4d1b93a88c65213e60e2508113",
  },
  {
    suite: 0x00ae,
    encryptThenMac: true,
    withId: true,
    fragment:
      "707172737475767778797a7b7c7d7e7f0fa8c3b4647e1e60e941a02154e605040888a9c3699fbde333749ba2cac1148783dc7c166fab13d7ff67e3e6992363fa7015c4fdb03dd4de52d18bc699c6ea91",
  },
];
