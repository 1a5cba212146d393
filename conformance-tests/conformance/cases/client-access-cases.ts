/** Read, Discover and what is refused: cases 200 to 299 of the OMA test specification, for the client. */
import { type ClientCase, NotApplicable, type RegisteredClient, type Stage } from "../case.ts";
import { codeText, uintOption, type WireMessage, wireCode, wireFormat, wireOption } from "../wire-message.ts";
import { cborUint, readSenmlJson, tlvInteger, tlvResources, tlvText } from "../wire-payload.ts";
import { discover, expectRead, read, readText, requireFormat, textOf, write, writeAttributes } from "./client-steps.ts";
import { expectCode } from "./expect.ts";

/** What /3/0 has in every configuration, as far as it can be read: without the executable 4. */
const deviceMinimum = [0, 1, 2, 3, 11, 16];

export const clientAccessCases: readonly ClientCase[] = [
  {
    id: "LightweightM2M-1.1-int-201",
    title: "Querying basic information in Plain Text format",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      for (const path of ["/3/0/0", "/3/0/1", "/3/0/2"]) {
        const response = await expectRead(stage, client, path, wireFormat.text);
        stage.check(`${path} is not empty`, textOf(response) !== "");
      }
    },
  },
  {
    id: "LightweightM2M-1.1-int-203",
    title: "Querying basic information in TLV format",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const response = await expectRead(stage, client, "/3/0", wireFormat.tlv);
      if (!response.readable) return;
      const resources = tlvResources(response.payload);
      for (const id of deviceMinimum) stage.check(`/3/0/${id} is in it`, resources.has(id), [...resources.keys()].join(" "));
      stage.check("/3/0/11 is a multiple resource", resources.get(11)?.kind === "multiple", resources.get(11)?.kind);
      const manufacturer = await readText(client, "/3/0/0");
      stage.check("/3/0/0 is what it is as text", tlvText(resources.get(0)) === manufacturer, tlvText(resources.get(0)));
    },
  },
  {
    id: "LightweightM2M-1.1-int-211",
    title: "Querying basic information in CBOR format",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      requireFormat(await read(client, `${client.account}/0`, wireFormat.cbor), wireFormat.cbor);
      const texts: (string | undefined)[] = [];
      for (const id of [0, 6, 7]) texts.push(await readText(client, `${client.account}/${id}`));
      const [identifier, storing, binding = ""] = texts;
      const encoded = [
        cborUint(Number(identifier)),
        Uint8Array.of(storing === "1" ? 0xf5 : 0xf4),
        Uint8Array.of(0x60 | binding.length, ...Buffer.from(binding)),
      ];
      for (const [index, id] of [0, 6, 7].entries()) {
        const { payload } = await expectRead(stage, client, `${client.account}/${id}`, wireFormat.cbor);
        const same = Buffer.compare(payload, encoded[index] ?? payload) === 0;
        stage.check(`/1/x/${id} is ${texts[index]} in CBOR`, same, Buffer.from(payload).toString("hex"));
      }
    },
  },
  {
    id: "LightweightM2M-1.1-int-221",
    title: "Attempt to perform operations on Security",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      expectCode(stage, "4.01 to Read /0", await read(client, "/0"), wireCode.unauthorized);
      expectCode(stage, "4.01 to Write /0/0/0", await write(client, "/0/0/0", "coap://127.0.0.1:1"), wireCode.unauthorized);
      expectCode(stage, "4.01 to Write-Attributes /0", await writeAttributes(client, "/0", "pmin=10"), wireCode.unauthorized);
    },
  },
  {
    id: "LightweightM2M-1.1-int-222",
    title: "Read on Object",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const server = await senml(stage, client, "/1");
      for (const id of [0, 1, 6, 7]) stage.check(`/1 has ${client.account}/${id}`, server.has(`${client.account}/${id}`), keysOf(server));
      const device = await senml(stage, client, "/3");
      expectDevice(stage, device);
    },
  },
  {
    id: "LightweightM2M-1.1-int-223",
    title: "Read on Object Instance",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const response = await expectRead(stage, client, client.account, wireFormat.tlv);
      if (response.readable) {
        const resources = tlvResources(response.payload);
        for (const id of [0, 1, 6, 7]) stage.check(`${client.account}/${id} is in it`, resources.has(id), [...resources.keys()].join(" "));
        const lifetime = await readText(client, `${client.account}/1`);
        stage.check("the lifetime is what it is as text", String(tlvInteger(resources.get(1))) === lifetime, lifetime);
      }
      expectDevice(stage, await senml(stage, client, "/3/0"));
    },
  },
  {
    id: "LightweightM2M-1.1-int-224",
    title: "Read on Resource",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      // No Accept: the choice of the format is the client's.
      for (const path of [...[0, 1, 6, 7].map((id) => `${client.account}/${id}`), "/3/0/16"])
        expectCode(stage, `2.05 to Read ${path}`, await read(client, path), wireCode.content);
    },
  },
  {
    id: "LightweightM2M-1.1-int-225",
    title: "Read on Resource Instance",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const values = await senml(stage, client, "/3/0/11/0");
      stage.check("just that instance", keysOf(values) === "/3/0/11/0", keysOf(values));
    },
  },
  {
    id: "LightweightM2M-1.1-int-231",
    title: "Querying basic information in SenML JSON format",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      requireFormat(await read(client, "/3/0/16", wireFormat.senmlJson), wireFormat.senmlJson);
      for (const path of ["/1", "/3/0", "/3/0/16", "/3/0/11/0"]) {
        const values = await senml(stage, client, path);
        const astray = [...values.keys()].filter((each) => each !== path && !each.startsWith(`${path}/`));
        stage.check(`every value lies below ${path}`, values.size > 0 && astray.length === 0, keysOf(values));
      }
    },
  },
  {
    id: "LightweightM2M-1.1-int-260",
    title: "Discover Command",
    role: "client",
    limitSeconds: 40,
    // In the form of edition 1.0, where the periods are attached to the instance and asked for there.
    async run(stage) {
      const client = await stage.client();
      const object = await discover(stage, client, "/3");
      for (const id of [1, 2, 3, 4, 6, 7, 8, 9, 11, 16])
        stage.check(`/3/0/${id} is listed`, object.has(`/3/0/${id}`), [...object.keys()].join(" "));
      const attributes = ["pmin=10", "pmax=200"];
      expectCode(stage, "2.04 to Write-Attributes /3/0", await writeAttributes(client, "/3/0", ...attributes), wireCode.changed);
      expectAttributes(stage, (await discover(stage, client, "/3/0")).get("/3/0"), attributes);
      const changes = ["lt=1", "gt=6", "st=1"];
      expectCode(stage, "2.04 to Write-Attributes /3/0/7", await writeAttributes(client, "/3/0/7", ...changes), wireCode.changed);
      const resource = await discover(stage, client, "/3/0/7");
      expectAttributes(stage, resource.get("/3/0/7"), [...attributes, ...changes, "dim=2"]);
      const others = [...resource.keys()].filter((path) => !path.startsWith("/3/0/7"));
      stage.check("nothing else is listed for /3/0/7", others.length === 0, others.join(" "));
    },
  },
  composite("280", "Successful Read-Composite Operation", async (stage, client, values) => {
    const { account } = client;
    for (const path of ["/3/0/16", "/3/0/11/0", `${account}/0`, `${account}/1`, `${account}/6`, `${account}/7`])
      stage.check(`${path} is in it`, values.has(path), keysOf(values));
    const asked = ["/3/0/16", "/3/0/11/0", account];
    const astray = [...values.keys()].filter((path) => !asked.some((each) => path === each || path.startsWith(`${each}/`)));
    stage.check("and nothing that was not asked for", astray.length === 0, astray.join(" "));
  }),
  composite("281", "Partially Successful Read-Composite Operation", async (stage, { account }, values) => {
    stage.check("the two that can be read, not the executable one", keysOf(values) === `${account}/1 ${account}/7`, keysOf(values));
  }),
  {
    id: "wire-missing-path",
    title: "What is not there is answered 4.04 at every level",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      for (const path of ["/3/0/9999", "/3/9", "/9999"])
        expectCode(stage, `4.04 to Read ${path}`, await read(client, path), wireCode.notFound);
    },
  },
];

/** Asks for a few paths at once, in SenML JSON. */
function composite(
  number: "280" | "281",
  title: string,
  judge: (stage: Stage, client: RegisteredClient, values: ReadonlyMap<string, unknown>) => Promise<void>,
): ClientCase {
  return {
    id: `LightweightM2M-1.1-int-${number}`,
    title,
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const { account } = client;
      const paths = number === "280" ? ["/3/0/16", "/3/0/11/0", account] : [`${account}/1`, `${account}/7`, `${account}/8`];
      const response = await client.peer.exchange(compositeRequest(paths));
      requireComposite(response);
      expectCode(stage, "2.05 to the Read-Composite", response, wireCode.content);
      if (response?.code === wireCode.content) await judge(stage, client, readSenmlJson(response.payload));
    },
  };
}

export function compositeRequest(paths: readonly string[], observe?: 0 | 1) {
  const json = uintOption(wireOption.contentFormat, wireFormat.senmlJson);
  const accept = uintOption(wireOption.accept, wireFormat.senmlJson);
  return {
    code: wireCode.fetch,
    options: [json, accept, ...(observe === undefined ? [] : [uintOption(wireOption.observe, observe)])],
    payload: new TextEncoder().encode(JSON.stringify(paths.map((n) => ({ n })))),
  };
}

/** Composite operations came with 1.1. */
export function requireComposite(response: WireMessage | undefined): void {
  if (response?.code === wireCode.methodNotAllowed || response?.code === wireCode.notImplemented)
    throw new NotApplicable(`the client has no composite operations: ${codeText(response.code)}`);
}

async function senml(stage: Stage, client: RegisteredClient, path: string): Promise<ReadonlyMap<string, unknown>> {
  const response = await expectRead(stage, client, path, wireFormat.senmlJson);
  return response.readable ? readSenmlJson(response.payload) : new Map();
}

function expectDevice(stage: Stage, values: ReadonlyMap<string, unknown>): void {
  const has = (path: string): boolean => [...values.keys()].some((each) => each === path || each.startsWith(`${path}/`));
  for (const id of deviceMinimum) stage.check(`/3/0/${id} is in it`, has(`/3/0/${id}`), keysOf(values));
  stage.check("the executable /3/0/4 is not", !has("/3/0/4"), keysOf(values));
}

function expectAttributes(stage: Stage, got: ReadonlyMap<string, string> | undefined, wanted: readonly string[]): void {
  for (const attribute of wanted) {
    const [key = "", value] = attribute.split("=");
    stage.check(`${attribute} is shown`, Number(got?.get(key) ?? "none") === Number(value), [...(got ?? [])].join(" "));
  }
}

function keysOf(values: ReadonlyMap<string, unknown>): string {
  return [...values.keys()].sort().join(" ");
}
