import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openCatalogue } from "./catalogue.ts";
import { publishedFolder } from "./testing/ddf-fixtures.ts";

/** A second reader of the published files, by regular expressions: it shares nothing with the one that made the catalogue. */
interface Published {
  readonly key: string;
  readonly facts: readonly string[];
}

const types: { readonly [name: string]: string } = { "unsigned integer": "unsigned", unsignedinteger: "unsigned" };

function publishedIn(xml: string): readonly Published[] {
  // Prose goes first: it quotes what looks like elements.
  const facts = xml.replace(/<!--[\s\S]*?-->|<Description[12]?>[\s\S]*?<\/Description[12]?>/g, "");
  return [...facts.matchAll(/<Object [\s\S]*?<\/Object>/g)].map(([object]) => {
    const head = object.replace(/<Resources>[\s\S]*/, "") + object.replace(/[\s\S]*<\/Resources>/, "");
    const version = field(head, "ObjectVersion") || (/:(\d+\.\d+)$/.exec(field(head, "ObjectURN"))?.[1] ?? "1.0");
    const items = [...object.matchAll(/<Item ID="(\d+)"[^>]*>([\s\S]*?)<\/Item>/g)].map(([, id, item = ""]) => resourceFacts(id, item));
    return {
      key: `${field(head, "ObjectID")}/${version}`,
      facts: [[field(head, "Name"), isMultiple(head), isMandatory(head)].join(" | "), ...items.toSorted()],
    };
  });
}

function resourceFacts(id: string | undefined, item: string): string {
  const operations = field(item, "Operations").toUpperCase().replace("WR", "RW");
  const type = field(item, "Type").toLowerCase();
  const valued = operations === "E" || type === "" ? "-" : (types[type] ?? type);
  return [id, field(item, "Name"), operations, valued, isMultiple(item), isMandatory(item), field(item, "Units")].join(" | ");
}

const isMultiple = (text: string): boolean => field(text, "MultipleInstances").toLowerCase() === "multiple";
const isMandatory = (text: string): boolean => field(text, "Mandatory").toLowerCase() === "mandatory";

function field(text: string, name: string): string {
  const inner = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(text)?.[1] ?? "";
  const plain = inner
    .replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, "$1")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&");
  return plain.replace(/\s+/g, " ").trim();
}

const published = publishedFolder();

test("OMA registry: every fact of every published version is in the catalogue", {
  skip: published === undefined && "needs OMNA_DIR",
}, () => {
  const folder = published ?? "";
  const catalogue = openCatalogue();
  const seen = new Set<string>();
  let resources = 0;
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".xml")) continue;
    const xml = readFileSync(join(folder, file), "utf8");
    // Resources that objects share are listed in a file of no object.
    if (!/<ObjectID>\s*\d+\s*<\/ObjectID>/.test(xml)) continue;
    for (const { key, facts } of publishedIn(xml)) {
      const [id = "", version] = key.split("/");
      const definition = catalogue.find(Number(id), version);
      assert.ok(definition, `${file}: ${key}`);
      const items = [...definition.resources.values()].map(({ id, name, operations, type = "-", multiple, mandatory, unit = "" }) =>
        [id, name, operations, type, multiple, mandatory, unit].join(" | "),
      );
      const head = [definition.name, definition.multiple, definition.mandatory].join(" | ");
      assert.deepEqual([head, ...items.toSorted()], facts, `${file}: ${key}`);
      seen.add(key);
      resources += items.length;
    }
  }
  const all = catalogue.list().flatMap(({ id }) => catalogue.versionsOf(id).map((version) => `${id}/${version}`));
  assert.deepEqual(all.toSorted(), [...seen].toSorted());
  assert.ok(resources > 4_000, `${resources} resources`);
});
