import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "./catalogue.ts";
import { parseDdf } from "./ddf-parser.ts";
import { instanceSchema } from "./json-schema.ts";
import { aDdf, anItem, anObject } from "./testing/ddf-fixtures.ts";

test("JSON Schema 2020-12: an object of ours, every type", () => {
  const types = ["String", "Integer", "Unsigned Integer", "Float", "Boolean", "Opaque", "Time", "Objlnk", "Corelnk"];
  const items = [
    ...types.map((type, index) =>
      anItem({ id: String(index), name: type, type, mandatory: index === 0 ? "Mandatory" : "Optional", range: index < 4 ? "0..9" : "" }),
    ),
    anItem({ id: "20", name: "Restart", operations: "E", type: "" }),
    anItem({ id: "21", name: "Ports", multiple: "Multiple", operations: "R", range: "0,3..7", units: "B" }),
  ];
  const [tank] = parseDdf(aDdf([anObject({ items })]));
  if (tank === undefined) throw new Error("no object");
  const integerText = { type: "string", pattern: "^-?(0|[1-9][0-9]{0,19})$" };
  assert.deepEqual(instanceSchema(tank), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:oma:lwm2m:x:33000:1.0",
    title: "Tank",
    type: "object",
    properties: {
      string: { title: "String", "x-lwm2m-id": 0, type: "string", maxLength: 9 },
      integer: { title: "Integer", "x-lwm2m-id": 1, anyOf: [{ type: "integer", minimum: 0, maximum: 9 }, integerText] },
      unsignedInteger: {
        title: "Unsigned Integer",
        "x-lwm2m-id": 2,
        anyOf: [
          { type: "integer", minimum: 0, maximum: 9 },
          { type: "string", pattern: "^(0|[1-9][0-9]{0,19})$" },
        ],
      },
      float: { title: "Float", "x-lwm2m-id": 3, type: "number", minimum: 0, maximum: 9 },
      boolean: { title: "Boolean", "x-lwm2m-id": 4, type: "boolean" },
      opaque: { title: "Opaque", "x-lwm2m-id": 5, type: "string", contentEncoding: "base64" },
      time: { title: "Time", "x-lwm2m-id": 6, anyOf: [{ type: "string", format: "date-time" }, { type: "integer" }] },
      objlnk: { title: "Objlnk", "x-lwm2m-id": 7, type: "string", pattern: "^[0-9]{1,5}:[0-9]{1,5}$" },
      corelnk: { title: "Corelnk", "x-lwm2m-id": 8, type: "string" },
      ports: {
        title: "Ports",
        readOnly: true,
        "x-unit": "B",
        "x-lwm2m-id": 21,
        type: "object",
        patternProperties: {
          "^(0|[1-9][0-9]{0,4})$": {
            anyOf: [
              {
                type: "integer",
                anyOf: [
                  { minimum: 0, maximum: 0 },
                  { minimum: 3, maximum: 7 },
                ],
              },
              integerText,
            ],
          },
        },
        additionalProperties: false,
      },
    },
    required: ["string"],
    additionalProperties: false,
  });
});

test("JSON Schema 2020-12: every published object has one with a property per valued resource", () => {
  for (const object of openCatalogue().list()) {
    const schema: unknown = JSON.parse(JSON.stringify(instanceSchema(object)));
    const valued = [...object.resources.values()].filter(({ operations }) => operations !== "E").length;
    assert.equal(Object.keys(Reflect.get(Object(schema), "properties")).length, valued, object.name);
  }
});
