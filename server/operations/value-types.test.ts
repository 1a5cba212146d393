import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { aDdf, anItem, anObject } from "@lwm2m/object-registry/testing/ddf-fixtures";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { bytes, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

/** One value as REST writes it and as each format does: text, the bytes of TLV and CBOR in hexadecimal, JSON. */
interface Sample {
  readonly rest: Json;
  readonly text: string;
  readonly tlv: string;
  readonly cbor: string;
  readonly json: string;
  /** Where SenML writes it otherwise than the JSON of 1.0. */
  readonly senml?: string;
}

interface TypeRow {
  /** As a definition file names it. */
  readonly type: string;
  /** Field of the JSON of 1.0, field and CBOR label of SenML. */
  readonly fields: readonly [json: string, senml: string, label: string];
  readonly samples: readonly [Sample, Sample];
}

const textHex = (text: string): string => Buffer.from(text).toString("hex");
const textSample = (text: string, cborHead: string): Sample => ({
  ...{ rest: text, text, tlv: textHex(text), cbor: `${cborHead}${textHex(text)}`, json: JSON.stringify(text) },
});
const number: TypeRow["fields"] = ["v", "v", "02"];
const string: TypeRow["fields"] = ["sv", "vs", "03"];
const least64 = "-9223372036854775808";
const most64 = "18446744073709551615";

/** LwM2M Core 1.1 appendix C; the resource id is the place in the table. */
const rows: readonly TypeRow[] = [
  { type: "String", fields: string, samples: [textSample("Zürich", "67"), textSample("", "60")] },
  {
    type: "Integer",
    fields: number,
    samples: [
      { rest: least64, text: least64, tlv: "8000000000000000", cbor: "3b7fffffffffffffff", json: least64 },
      { rest: -129, text: "-129", tlv: "ff7f", cbor: "3880", json: "-129" },
    ],
  },
  {
    type: "Unsigned Integer",
    fields: number,
    samples: [
      { rest: most64, text: most64, tlv: "ffffffffffffffff", cbor: "1bffffffffffffffff", json: most64 },
      { rest: "9007199254740993", text: "9007199254740993", tlv: "0020000000000001", cbor: "1b0020000000000001", json: "9007199254740993" },
    ],
  },
  {
    type: "Float",
    fields: number,
    samples: [
      { rest: 0.1, text: "0.1", tlv: "3fb999999999999a", cbor: "fb3fb999999999999a", json: "0.1" },
      // Single precision: small devices have no half.
      { rest: -22.5, text: "-22.5", tlv: "c1b40000", cbor: "fac1b40000", json: "-22.5" },
    ],
  },
  {
    type: "Boolean",
    fields: ["bv", "vb", "04"],
    samples: [
      { rest: true, text: "1", tlv: "01", cbor: "f5", json: "true" },
      { rest: false, text: "0", tlv: "00", cbor: "f4", json: "false" },
    ],
  },
  {
    type: "Opaque",
    fields: ["sv", "vd", "08"],
    samples: [
      { rest: "+/8A", text: "+/8A", tlv: "fbff00", cbor: "43fbff00", json: '"+/8A"', senml: '"-_8A"' },
      { rest: "/w==", text: "/w==", tlv: "ff", cbor: "41ff", json: '"/w=="', senml: '"_w"' },
    ],
  },
  {
    type: "Time",
    fields: number,
    samples: [
      { rest: "2013-05-02T10:40:15Z", text: "1367491215", tlv: "5182428f", cbor: "1a5182428f", json: "1367491215" },
      { rest: "1969-12-31T23:59:59Z", text: "-1", tlv: "ff", cbor: "20", json: "-1" },
    ],
  },
  {
    type: "Objlnk",
    fields: ["ov", "vlo", "63766c6f"],
    samples: [
      { rest: "3:0", text: "3:0", tlv: "00030000", cbor: "63333a30", json: '"3:0"' },
      { rest: "65535:65535", text: "65535:65535", tlv: "ffffffff", cbor: "6b36353533353a3635353335", json: '"65535:65535"' },
    ],
  },
  { type: "Corelnk", fields: string, samples: [textSample("</3/0>", "66"), textSample('</3>;ver="1.1"', "6e")] },
];

interface FormatRow {
  readonly name: string;
  readonly format: number;
  readonly version: "1.0" | "1.1" | "1.2";
  /** The resource types it carries; all without it. */
  readonly only?: string;
  /** In hexadecimal. */
  write(id: number, row: TypeRow, sample: Sample): string;
}

const pathOf = (id: number): string => `/32999/0/${id}`;
/** RFC 8949 §3: the ten characters of every path here. */
const pathCbor = (id: number): string => `6a${textHex(pathOf(id))}`;
/** LwM2M Core 1.1 §7.4.5: type 11, a length of up to seven in the first byte, else in a byte of its own. */
const resourceTlv = (id: number, value: string): string => {
  const length = value.length / 2;
  const head = length < 8 ? [0xc0 | length, id] : [0xc8, id, length];
  return Buffer.from(head).toString("hex") + value;
};

const formats: readonly FormatRow[] = [
  { name: "TLV", format: ContentFormat.tlv, version: "1.0", write: (id, _, { tlv }) => resourceTlv(id, tlv) },
  {
    name: "JSON",
    format: ContentFormat.lwm2mJson,
    version: "1.0",
    write: (id, { fields: [field] }, { json }) => textHex(`{"bn":"${pathOf(id)}","e":[{"${field}":${json}}]}`),
  },
  { name: "text", format: ContentFormat.text, version: "1.1", write: (_, __, { text }) => textHex(text) },
  { name: "opaque", format: ContentFormat.opaque, version: "1.1", only: "Opaque", write: (_, __, { tlv }) => tlv },
  { name: "CBOR", format: ContentFormat.cbor, version: "1.1", write: (_, __, { cbor }) => cbor },
  {
    name: "SenML JSON",
    format: ContentFormat.senmlJson,
    version: "1.1",
    write: (id, { fields: [, field] }, { json, senml = json }) => textHex(`[{"bn":"${pathOf(id)}","${field}":${senml}}]`),
  },
  {
    name: "SenML CBOR",
    format: ContentFormat.senmlCbor,
    version: "1.1",
    write: (id, { fields: [, , label] }, { cbor }) => `81a221${pathCbor(id)}${label}${cbor}`,
  },
  {
    name: "LwM2M CBOR",
    format: ContentFormat.lwm2mCbor,
    version: "1.2",
    write: (id, _, { cbor }) => `a11980e7a100a1${Buffer.of(id).toString("hex")}${cbor}`,
  },
];

let world: ServerWorld;
let rest: Rest;
let device: ScriptedDevice;

before(async () => {
  world = await ServerWorld.open();
  rest = restOf(world);
  const items = rows.map(({ type }, id) => anItem({ id: String(id), name: `Kind ${type}`, type }));
  const uploaded = await rest("POST", "/models", { upload: [bytes(aDdf([anObject({ id: "32999", name: "Kinds", items })]))] });
  assert.equal(uploaded.status, 201);
});

afterEach(() => device.close());
after(async () => {
  assert.deepEqual(world.server.failures, []);
  await world.close();
});

const answer = (contentFormat: number, hex: string): OutgoingResponse => ({
  ...{ code: ResponseCode.content, contentFormat, payload: Buffer.from(hex, "hex") },
});

/** A device that takes and gives values in one format only. */
async function deviceOf({ format, version }: FormatRow): Promise<void> {
  const links = `</>;rt="oma.lwm2m";ct="${format}",</32999>;ver=1.0,</32999/0>`;
  device = new ScriptedDevice(world, { query: ["lt=86400", `lwm2m=${version}`, "b=U"], links });
  for (const id of rows.keys()) {
    device.answers.set(`PUT ${pathOf(id)}`, ({ contentFormat }) => ({
      code: contentFormat === format ? ResponseCode.changed : ResponseCode.unsupportedContentFormat,
    }));
  }
  await device.register();
}

describe("LwM2M Core 1.1 appendix C, §7.4: every data type through REST, in every format a device may choose", () => {
  for (const row of formats) {
    test(`${row.name}: written, read, observed`, async () => {
      await deviceOf(row);
      for (const [id, kind] of rows.entries()) {
        if (row.only !== undefined && row.only !== kind.type) continue;
        const address = `/devices/dev-1/resources${pathOf(id)}`;
        const known = async (query = ""): Promise<unknown> => {
          const { body } = await rest("GET", `${address}${query}`);
          return [at(body, "source"), at(body, "value")];
        };
        for (const sample of kind.samples) {
          const hex = row.write(id, kind, sample);
          const written = await rest("PUT", address, { body: { value: sample.rest } });
          assert.equal(at(written.body, "status"), "succeeded", `${kind.type}: ${JSON.stringify(written.body)}`);
          const last = device.requests.at(-1);
          assert.deepEqual([last?.contentFormat, Buffer.from(last?.payload ?? []).toString("hex")], [row.format, hex], kind.type);
          assert.deepEqual(await known(), ["write", sample.rest], kind.type);
          device.answers.set(`GET ${pathOf(id)}`, answer(row.format, hex));
          assert.deepEqual(await known("?live=true"), ["read", sample.rest], kind.type);
        }
        const [first, second] = kind.samples;
        device.answers.set(`GET ${pathOf(id)}`, answer(row.format, row.write(id, kind, first)));
        const observed = await rest("PUT", `${address}/observation`);
        assert.deepEqual(at(observed.body, "result", "values", 0, "value"), first.rest, kind.type);
        await world.until(device.notify(pathOf(id), answer(row.format, row.write(id, kind, second))));
        assert.deepEqual(await known(), ["notify", second.rest], kind.type);
      }
    });
  }
});
