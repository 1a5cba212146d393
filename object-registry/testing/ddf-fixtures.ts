/** Definition files of our own for the tests, in the shape of both schemas. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface ItemFixture {
  readonly id?: string;
  readonly name?: string;
  readonly operations?: string;
  readonly multiple?: string;
  readonly mandatory?: string;
  readonly type?: string;
  readonly range?: string;
  readonly units?: string;
}

export function anItem(item: ItemFixture = {}): string {
  const { id = "1", name = "Level", operations = "RW", multiple = "Single", mandatory = "Optional", type = "Integer" } = item;
  return `<Item ID="${id}"><Name>${name}</Name><Operations>${operations}</Operations>
    <MultipleInstances>${multiple}</MultipleInstances><Mandatory>${mandatory}</Mandatory><Type>${type}</Type>
    <RangeEnumeration>${item.range ?? ""}</RangeEnumeration><Units>${item.units ?? ""}</Units>
    <Description><![CDATA[Text with <tags> & signs.]]></Description></Item>`;
}

export interface ObjectFixture {
  readonly id?: string;
  readonly name?: string;
  readonly urn?: string;
  /** Elements of the newer schema, between ObjectURN and MultipleInstances. */
  readonly versions?: string;
  readonly multiple?: string;
  readonly mandatory?: string;
  readonly items?: readonly string[];
}

export function anObject(object: ObjectFixture = {}): string {
  const { id = "33000", name = "Tank", multiple = "Single", mandatory = "Optional", items = [anItem()] } = object;
  return `<Object ObjectType="MODefinition"><Name>${name}</Name><Description1>What a tank holds.</Description1>
    <ObjectID>${id}</ObjectID><ObjectURN>${object.urn ?? `urn:oma:lwm2m:x:${id}`}</ObjectURN>${object.versions ?? ""}
    <MultipleInstances>${multiple}</MultipleInstances><Mandatory>${mandatory}</Mandatory>
    <Resources>${items.join("\n")}</Resources><Description2></Description2></Object>`;
}

export function aDdf(objects: readonly string[] = [anObject()], schema = "LWM2M-v1_1.xsd"): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!-- A file of our own. -->
<LWM2M xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="${schema}">${objects.join("\n")}</LWM2M>`;
}

/** The published files, where this machine has them. */
export function publishedFolder(): string | undefined {
  const { OMNA_DIR } = process.env;
  const candidates = [OMNA_DIR, fileURLToPath(new URL("../../../../shared/omna", import.meta.url))];
  return candidates.find((folder) => folder !== undefined && existsSync(folder));
}
