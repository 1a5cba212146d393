/** Write in its forms: cases 200 to 299 of the OMA test specification, for the client. */
import { type ClientCase, type ClientStage, NotApplicable, type RegisteredClient, type Stage } from "../case.ts";
import { wireCode, wireFormat } from "../wire-message.ts";
import { type TlvEntry, tlvInteger, tlvResources, tlvText } from "../wire-payload.ts";
import { expectLifetime, expectRead, expectUpdate, readText, write, writeTlv } from "./client-steps.ts";
import { expectCode } from "./expect.ts";

export const clientWriteCases: readonly ClientCase[] = [
  {
    id: "LightweightM2M-1.1-int-205",
    title: "Setting basic information in Plain Text format",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      await establishExtended(client);
      await setPeriods(stage, client, ["101", "1010", "2000"]);
      const resources = await readAccount(stage, client);
      expectIntegers(stage, resources, { 2: 101, 3: 1_010, 5: 2_000 });
      await setPeriods(stage, client, ["1", "10", "86400"]);
    },
  },
  {
    id: "LightweightM2M-1.1-int-215",
    title: "Setting basic information in TLV format",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      await establishExtended(client);
      const saved = await readAccount(stage, client);
      const values = Buffer.from("c10265c20303f2c20507d0c10601c10755", "hex");
      expectCode(stage, "2.04 to the partial update", await writeTlv(client, client.account, values, "update"), wireCode.changed);
      const changed = await readAccount(stage, client);
      expectIntegers(stage, changed, { 2: 101, 3: 1_010, 5: 2_000, 6: 1 });
      stage.check("the binding is U", tlvText(changed.get(7)) === "U", tlvText(changed.get(7)));
      // The Short Server ID (0) is the client's own.
      const initial = encodeTlv([...saved.values()].filter(({ id }) => [1, 2, 3, 5, 6, 7].includes(id)));
      expectCode(stage, "2.04 to the replacement", await writeTlv(client, client.account, initial, "replace"), wireCode.changed);
      const restored = await readAccount(stage, client);
      for (const [id, entry] of saved) {
        const same = Buffer.from(entry.value).equals(restored.get(id)?.value ?? new Uint8Array());
        stage.check(`${client.account}/${id} is as it was`, same);
      }
    },
  },
  {
    id: "LightweightM2M-1.1-int-226",
    title: "Write (Partial Update) on Object Instance",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const before = (await readText(client, `${client.account}/1`)) ?? "86400";
      const storing = await readText(client, `${client.account}/6`);
      const both = Buffer.from("c1013dc10601", "hex");
      expectCode(stage, "2.04 to lifetime 61, storing true", await writeTlv(client, client.account, both, "update"), wireCode.changed);
      await expectUpdate(stage, "an Update with lt=61 follows", (queries) => queries.includes("lt=61"));
      expectIntegers(stage, await readAccount(stage, client), { 1: 61, 6: 1 });
      await expectLifetime(stage, client, before);
      await write(client, `${client.account}/6`, storing ?? "0");
    },
  },
  {
    id: "LightweightM2M-1.1-int-227",
    title: "Write (Replace) on Resource",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const before = (await readText(client, `${client.account}/1`)) ?? "86400";
      await expectLifetime(stage, client, "63");
      const after = await readText(client, `${client.account}/1`);
      stage.check("63 is read back", after === "63", after);
      await expectLifetime(stage, client, before);
    },
  },
  {
    id: "LightweightM2M-1.1-int-256",
    title: "Write Operation Failure",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const path = `${client.account}/0`;
      const before = await readText(client, path);
      expectCode(stage, `4.05 to the Write of the read-only ${path}`, await write(client, path, "123"), wireCode.methodNotAllowed);
      const after = await readText(client, path);
      stage.check("its value is unchanged", before !== undefined && after === before, `${before} then ${after}`);
    },
  },
  {
    id: "wire-write-malformed",
    title: "A payload that is no value of the resource is refused and changes nothing",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const path = `${client.account}/1`;
      const before = await readText(client, path);
      expectCode(stage, "4.00 to a lifetime of letters", await write(client, path, "soon"), wireCode.badRequest);
      const cut = Buffer.from("c401", "hex");
      expectCode(stage, "4.00 to a TLV that is cut", await writeTlv(client, client.account, cut, "update"), wireCode.badRequest);
      const after = await readText(client, path);
      stage.check("the lifetime is unchanged", before !== undefined && after === before, `${before} then ${after}`);
    },
  },
];

/** Configuration C.3: the optional periods 2, 3 and 5 with these values. */
async function establishExtended(client: RegisteredClient): Promise<void> {
  for (const [id, value] of Object.entries({ 2: "1", 3: "10", 5: "86400" })) {
    const path = `${client.account}/${id}`;
    const response = await write(client, path, value);
    if (response?.code === wireCode.notFound || response?.code === wireCode.methodNotAllowed)
      throw new NotApplicable(`the client has no ${path}`);
  }
}

async function setPeriods(stage: ClientStage, client: RegisteredClient, values: readonly [string, string, string]): Promise<void> {
  for (const [index, id] of [2, 3, 5].entries()) {
    const path = `${client.account}/${id}`;
    const value = values[index] ?? "";
    expectCode(stage, `2.04 to the Write of ${path} = ${value}`, await write(client, path, value), wireCode.changed);
  }
}

async function readAccount(stage: Stage, client: RegisteredClient): Promise<ReadonlyMap<number, TlvEntry>> {
  const response = await expectRead(stage, client, client.account, wireFormat.tlv);
  return response.readable ? tlvResources(response.payload) : new Map();
}

function expectIntegers(stage: Stage, got: ReadonlyMap<number, TlvEntry>, wanted: { readonly [id: number]: number }): void {
  for (const [id, value] of Object.entries(wanted)) {
    const found = tlvInteger(got.get(Number(id)));
    stage.check(`resource ${id} is ${value}`, found === value, String(found));
  }
}

/** Single resources with short values: all of object 1. */
function encodeTlv(entries: readonly TlvEntry[]): Uint8Array {
  return Uint8Array.from(
    entries.flatMap(({ id, value }) => {
      if (value.length > 7) return [0xc8, id, value.length, ...value];
      return [0xc0 | value.length, id, ...value];
    }),
  );
}
