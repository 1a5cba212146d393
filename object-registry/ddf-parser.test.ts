import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DdfFormatError } from "./ddf-format-error.ts";
import { parseDdf, readDdf } from "./ddf-parser.ts";
import { aDdf, anItem, anObject, publishedFolder } from "./testing/ddf-fixtures.ts";

test("LwM2M Core 1.0 appendix D: a file of the first schema, without versions, is object version 1.0", () => {
  const items = [
    anItem({ id: "5", name: "Start", operations: "E", type: "" }),
    anItem({ id: "0", name: "Volume", operations: "R", mandatory: "Mandatory", type: "Float", range: "0..12.5", units: "m3" }),
  ];
  assert.deepEqual(parseDdf(aDdf([anObject({ multiple: "Multiple", items })], "LWM2M.xsd")), [
    {
      id: 33000,
      name: "Tank",
      version: "1.0",
      urn: "urn:oma:lwm2m:x:33000",
      multiple: true,
      mandatory: false,
      resources: new Map([
        [0, { id: 0, name: "Volume", operations: "R", multiple: false, mandatory: true, type: "float", range: "0..12.5", unit: "m3" }],
        [5, { id: 5, name: "Start", operations: "E", multiple: false, mandatory: false, type: undefined }],
      ]),
    },
  ]);
});

test("LwM2M Core 1.1 appendix D: the newer schema adds versions and the types Unsigned Integer and Corelnk", () => {
  const versions = "<LWM2MVersion>1.1</LWM2MVersion><ObjectVersion>2.3</ObjectVersion>";
  const names = ["String", "Integer", "Unsigned Integer", "Float", "Boolean", "Opaque", "Time", "Objlnk", "Corelnk"];
  const items = names.map((type, index) => anItem({ id: String(index), type }));
  const [object] = parseDdf(aDdf([anObject({ urn: "urn:oma:lwm2m:x:33000:2.3", versions, items })]));
  assert.equal(object?.version, "2.3");
  assert.deepEqual(
    [...(object?.resources.values() ?? [])].map(({ type }) => type),
    ["string", "integer", "unsigned", "float", "boolean", "opaque", "time", "objlnk", "corelnk"],
  );
});

test("registry files: several objects in one file, and the version from the URN where ObjectVersion is empty", () => {
  const first = anObject({ urn: "urn:oma:lwm2m:x:33000:1.4", versions: "<ObjectVersion></ObjectVersion>" });
  assert.deepEqual(
    parseDdf(aDdf([first, anObject({ id: "33001" })])).map(({ id, version }) => [id, version]),
    [
      [33000, "1.4"],
      [33001, "1.0"],
    ],
  );
});

test("registry files: space, case, byte order mark, entities and CDATA around the facts are tolerated", () => {
  const item = anItem({ name: "\n Fill &amp; Drain\n Level ", operations: " rw ", type: "unsigned  INTEGER", multiple: "multiple" });
  const [object] = parseDdf(`\uFEFF${aDdf([anObject({ name: "<![CDATA[R&D Tank]]>", items: [item] })])}`);
  assert.equal(object?.name, "R&D Tank");
  assert.deepEqual(object?.resources.get(1), {
    id: 1,
    name: "Fill & Drain Level",
    operations: "RW",
    multiple: true,
    mandatory: false,
    type: "unsigned",
  });
});

test("registry files: an executable resource has no type even where the file gives one, a readable one may lack it", () => {
  const items = [anItem({ id: "1", operations: "E", type: "String", range: "0..9" }), anItem({ id: "2", operations: "R", type: "" })];
  const resources = parseDdf(aDdf([anObject({ items })]))[0]?.resources;
  assert.deepEqual([resources?.get(1)?.type, resources?.get(1)?.range, resources?.get(2)?.type], [undefined, undefined, undefined]);
});

const faults: readonly { readonly xml: string; readonly code: string; readonly message: RegExp }[] = [
  { xml: "", code: "xml", message: /./ },
  { xml: "no markup at all", code: "xml", message: /./ },
  { xml: aDdf().slice(0, -9), code: "xml", message: /line \d+, column \d+/ },
  { xml: aDdf().replace("</Name>", "</Nmae>"), code: "xml", message: /line \d+/ },
  { xml: `${aDdf()}<LWM2M/>`, code: "xml", message: /./ },
  { xml: "<DDFList/>", code: "definition", message: /root element is DDFList, expected LWM2M/ },
  { xml: "<LWM2M></LWM2M>", code: "definition", message: /no Object element/ },
  { xml: aDdf([anObject({ id: "" })]), code: "definition", message: /object number 1 of the file: no ObjectID/ },
  { xml: aDdf([anObject({ id: "65535" })]), code: "definition", message: /ObjectID "65535" is not an identifier, 0 to 65534/ },
  { xml: aDdf([anObject({ id: "-1" })]), code: "definition", message: /"-1" is not an identifier/ },
  {
    xml: aDdf([anObject({ urn: "urn:oma:lwm2m:x:9" })]),
    code: "definition",
    message: /object 33000: ObjectURN .* does not name object 33000/,
  },
  {
    xml: aDdf([anObject({ versions: "<ObjectVersion>two</ObjectVersion>" })]),
    code: "definition",
    message: /ObjectVersion "two" is not major.minor/,
  },
  {
    xml: aDdf([anObject({ multiple: "Many" })]),
    code: "definition",
    message: /object 33000: MultipleInstances "Many" is not one of single, multiple/,
  },
  { xml: aDdf([anObject({ name: "" })]), code: "definition", message: /object 33000: no Name/ },
  { xml: aDdf([anObject({ name: "<b>T</b>" })]), code: "definition", message: /Name holds elements, expected text/ },
  { xml: aDdf([anObject({ name: "n".repeat(256) })]), code: "definition", message: /Name has 256 characters, at most 255/ },
  { xml: aDdf([anObject({ items: [] })]), code: "definition", message: /object 33000: no Item in Resources/ },
  { xml: aDdf([anObject(), anObject()]), code: "definition", message: /object 33000: version 1.0 is defined twice/ },
  {
    xml: aDdf([anObject({ items: [anItem({ type: "Foo" })] })]),
    code: "definition",
    message: /object 33000, resource 1: Type "Foo" is not one of empty, string,/,
  },
  {
    xml: aDdf([anObject({ items: [anItem({ operations: "RX" })] })]),
    code: "definition",
    message: /object 33000, resource 1: Operations "RX" is not one of/,
  },
  {
    xml: aDdf([anObject({ items: [anItem({ mandatory: "" })] })]),
    code: "definition",
    message: /Mandatory "" is not one of optional, mandatory/,
  },
  {
    xml: aDdf([anObject({ items: [anItem({ id: "x" })] })]),
    code: "definition",
    message: /object 33000, item number 1: ID "x" is not an identifier/,
  },
  { xml: aDdf([anObject({ items: [anItem(), anItem()] })]), code: "definition", message: /object 33000: resource 1 is defined twice/ },
  {
    xml: aDdf([anObject({ items: [anItem().replace("<Name>", "<Name>A</Name><Name>")] })]),
    code: "definition",
    message: /Name is given 2 times/,
  },
  { xml: aDdf([anObject({ items: [anItem().replace(' ID="1"', "")] })]), code: "definition", message: /item number 1: no ID attribute/ },
];

test("a broken definition file is refused with the place and what was expected", () => {
  for (const { xml, code, message } of faults) {
    assert.throws(
      () => parseDdf(xml),
      (error) => error instanceof DdfFormatError && error.code === code && message.test(error.message),
      `${code} ${message} for ${xml.slice(0, 80)}`,
    );
  }
});

test("a definition file with several faults names each with its line and element, one for each object and resource", () => {
  const bad = [anItem({ id: "0", type: "Foo" }), anItem(), anItem({ id: "2", operations: "X" }).replaceAll("\n", "\r\n")];
  const xml = aDdf([anObject({ multiple: "Many", items: bad }), anObject({ id: "33001" }), anObject({ id: "33002", items: [] })]);
  const lines = xml.replaceAll("\r\n", "\n").split("\n");
  const lineOf = (text: string): number => lines.findIndex((line) => line.includes(text)) + 1;
  assert.throws(
    () => parseDdf(xml),
    (error) => {
      assert.ok(error instanceof DdfFormatError);
      assert.deepEqual(
        error.faults.map(({ line, path }) => [line, path]),
        [
          [lineOf("Many"), "/LWM2M/Object[1]/MultipleInstances"],
          [lineOf("Foo"), "/LWM2M/Object[1]/Resources/Item[1]/Type"],
          [lineOf('ID="2"'), "/LWM2M/Object[1]/Resources/Item[3]/Operations"],
          [lineOf(">33002<") + 2, "/LWM2M/Object[3]/Resources"],
        ],
      );
      for (const { line, detail } of error.faults) assert.ok(detail.startsWith(`line ${line}: object 3300`), detail);
      assert.equal(error.message, error.faults[0]?.detail);
      return true;
    },
  );
});

test("a definition file of nothing but faults names the first twenty", () => {
  const items = Array.from({ length: 500 }, (_, index) => anItem({ id: String(index), type: "Foo" }));
  assert.throws(
    () => parseDdf(aDdf([anObject({ items })])),
    (error) => error instanceof DdfFormatError && error.faults.length === 20,
  );
});

test("what a file says and no definition keeps is a warning: prose for a range, no type, a type on what is executed", () => {
  const items = [
    anItem({ id: "0", range: "small or large" }),
    anItem({ id: "1", operations: "R", type: "" }),
    anItem({ id: "2", operations: "E", type: "String" }),
    anItem({ id: "3", range: "0..9" }),
  ];
  const { definitions, warnings } = readDdf(aDdf([anObject({ items })]));
  assert.equal(definitions[0]?.resources.size, 4);
  assert.deepEqual(
    warnings.map(({ path, detail }) => [path, detail.replace(/^line \d+: /, "")]),
    [
      ["/LWM2M/Object/Resources/Item[1]/RangeEnumeration", 'object 33000, resource 0: RangeEnumeration "small or large" is not enforced'],
      ["/LWM2M/Object/Resources/Item[2]/Type", "object 33000, resource 1: has no Type: values are shown as the device encodes them"],
      ["/LWM2M/Object/Resources/Item[3]/Type", "object 33000, resource 2: a resource that is executed has no Type"],
    ],
  );
});

test("LwM2M Core 1.1 §7.2: a version with leading zeros is the plain one, so that devices find it", () => {
  assert.equal(parseDdf(aDdf([anObject({ versions: "<ObjectVersion>01.02</ObjectVersion>" })]))[0]?.version, "1.2");
});

const published = publishedFolder();
test("OMA registry: every published definition file parses", { skip: published === undefined && "needs OMNA_DIR" }, () => {
  const folder = published ?? "";
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => /(^|\/)\d[^/]*\.xml$/.test(file));
  assert.ok(files.length > 700);
  for (const file of files) assert.ok(parseDdf(readFileSync(join(folder, file), "utf8")).length > 0, file);
});
