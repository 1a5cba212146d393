import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { encodeLinks, findAttribute, formatLinks, type Link, type LinkAttribute, type LinkTolerance, parseLinks } from "./link-format.ts";

const bare = (name: string, value: string): LinkAttribute => ({ name, value });
const quoted = (name: string, value: string): LinkAttribute => ({ name, value, quoted: true });
const link = (target: string, ...attributes: LinkAttribute[]): Link => ({ target, attributes });

const vectors: readonly { readonly source: string; readonly text: string; readonly links: readonly Link[] }[] = [
  { source: "RFC 6690 §5: core resource discovery", text: "</sensors>;ct=40", links: [link("/sensors", bare("ct", "40"))] },
  {
    source: "RFC 6690 §5: two sensors",
    text: '</sensors/temp>;if="sensor",</sensors/light>;if="sensor"',
    links: [link("/sensors/temp", quoted("if", "sensor")), link("/sensors/light", quoted("if", "sensor"))],
  },
  {
    source: "RFC 6690 §5: title with a space, anchor and relation",
    text: '</sensors>;ct=40;title="Sensor Index",<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby"',
    links: [
      link("/sensors", bare("ct", "40"), quoted("title", "Sensor Index")),
      link("http://www.example.com/sensors/t123", quoted("anchor", "/sensors/temp"), quoted("rel", "describedby")),
    ],
  },
  {
    source: "RFC 6690 §5: several resource types",
    text: '</sensor>;rt="temperature-c outdoor"',
    links: [link("/sensor", quoted("rt", "temperature-c outdoor"))],
  },
  {
    source: "LwM2M Core 1.1 §6.2.1: objects and instances",
    text: "</1/0>,</1/1>,</3/0>,</5>",
    links: [link("/1/0"), link("/1/1"), link("/3/0"), link("/5")],
  },
  {
    source: "LwM2M Core 1.1 §6.2.1: root with type and formats, version",
    text: '</>;rt="oma.lwm2m";ct="110 112",</1>;ver=1.1,</1/0>',
    links: [link("/", quoted("rt", "oma.lwm2m"), quoted("ct", "110 112")), link("/1", bare("ver", "1.1")), link("/1/0")],
  },
  {
    source: "LwM2M Core 1.1 §6.3.2: Discover with attributes",
    text: "</3/0>;pmin=10;pmax=60,</3/0/7>;dim=8;gt=50;lt=42.2,</3/0/8>;dim=2",
    links: [
      link("/3/0", bare("pmin", "10"), bare("pmax", "60")),
      link("/3/0/7", bare("dim", "8"), bare("gt", "50"), bare("lt", "42.2")),
      link("/3/0/8", bare("dim", "2")),
    ],
  },
  {
    source: "LwM2M Core 1.1 §6.1.7.3: bootstrap Discover",
    text: '</>;lwm2m=1.1,</0/0>;ssid=101;uri="coaps://server_1.example.com",</3/0>',
    links: [
      link("/", bare("lwm2m", "1.1")),
      link("/0/0", bare("ssid", "101"), quoted("uri", "coaps://server_1.example.com")),
      link("/3/0"),
    ],
  },
  {
    source: "RFC 6690 §2: a name alone, escapes in quotes",
    text: '</a>;obs;title="a\\"b\\\\,;"',
    links: [link("/a", { name: "obs" }, quoted("title", 'a"b\\,;'))],
  },
  { source: "RFC 6690 §2: no links", text: "", links: [] },
];

for (const { source, text, links } of vectors) {
  test(source, () => {
    assert.deepEqual(parseLinks(text, { strict: true }), { links, tolerances: [] });
    assert.equal(formatLinks(links), text);
    assert.deepEqual(parseLinks(encodeLinks(links)).links, links);
  });
}

test("RFC 6690 §2: every vector cut at every byte is refused or a shorter list", () => {
  let refused = 0;
  for (const { text } of vectors) {
    for (let length = 0; length < text.length; length++) {
      try {
        parseLinks(text.slice(0, length));
      } catch (error) {
        assert.ok(error instanceof Lwm2mFormatError, `${text.slice(0, length)}: ${String(error)}`);
        refused++;
      }
    }
  }
  assert.ok(refused > 150, String(refused));
});

const deviations: readonly (readonly [LinkTolerance, string, readonly Link[]])[] = [
  ["link-whitespace", "</1/0>, </3/0>", [link("/1/0"), link("/3/0")]],
  ["link-whitespace", " </1/0> ; ver = 1.1 ,\r\n</3/0>\n", [link("/1/0", bare("ver", "1.1")), link("/3/0")]],
  ["link-whitespace", "</1/0>;ver=1.1 ,</3/0>", [link("/1/0", bare("ver", "1.1")), link("/3/0")]],
  ["link-empty-part", "</1/0>,", [link("/1/0")]],
  ["link-empty-part", "</1/0>,,</3/0>", [link("/1/0"), link("/3/0")]],
  ["link-empty-part", "</1/0>;,</3/0>;;ver=1.0;", [link("/1/0"), link("/3/0", bare("ver", "1.0"))]],
  ["link-trailing-nul", "</1/0>;ver=1.1\0", [link("/1/0", bare("ver", "1.1"))]],
  ["link-unquoted-value", "</>;ct=110 112 60,</3/0>", [link("/", bare("ct", "110 112 60")), link("/3/0")]],
];

test("field deviations: white space, empty parts and unquoted lists are read, recorded, and refused in strict mode", () => {
  for (const [tolerance, text, links] of deviations) {
    assert.deepEqual(parseLinks(text), { links, tolerances: [tolerance] }, text);
    assert.throws(() => parseLinks(text, { strict: true }), { code: "link-format" }, text);
  }
});

test("RFC 6690 §2: what is no link list is refused", () => {
  const broken = [
    "<",
    "</1",
    "/1/0",
    "</1/0></3/0>",
    "</1/0>x",
    "</1/0>;=1",
    "</1/0>;ver=",
    '</1/0>;ver="',
    '</1/0>;ver="1.1\\',
    "</1/0>;v er=1",
    "</1 /0>",
    "</<1>",
    '</1/0>;ver="1"1',
    "</1/0>;ver=<1>",
    "garbage",
  ];
  for (const text of broken) assert.throws(() => parseLinks(text), { code: "link-format" }, text);
  assert.throws(() => parseLinks(Uint8Array.of(0x3c, 0xff, 0x3e)), { code: "link-format" });
  assert.throws(() => parseLinks("</1>,</2>,</3>", { maxLinks: 2 }), { code: "limit" });
});

test("link-format: an attribute given twice is kept twice, the first is found", () => {
  const [root] = parseLinks("</>;ct=110;ct=112").links;
  assert.ok(root);
  assert.equal(root.attributes.length, 2);
  assert.equal(findAttribute(root, "ct"), "110");
  assert.equal(findAttribute(root, "rt"), undefined);
});

test("link-format: seeded random text is links or Lwm2mFormatError, in linear time", () => {
  const random = seededRandom(11);
  const alphabet = ["<", ">", ",", ";", "=", '"', "\\", " ", "/", "1", "3", "ver", "ct", "é", "\u0000"];
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: random.integer(24) }, () => random.pick(alphabet)).join("");
    try {
      const { links } = parseLinks(text);
      assert.deepEqual(parseLinks(formatLinks(links)).links, links, text);
    } catch (error) {
      assert.ok(error instanceof Lwm2mFormatError, `${JSON.stringify(text)}: ${String(error)}`);
    }
  }
  assert.throws(() => parseLinks(`</1>;a="${"x".repeat(200_000)}`), Lwm2mFormatError);
  assert.deepEqual(parseLinks(`</1>${" ".repeat(200_000)}`).links, [link("/1")]);
});
