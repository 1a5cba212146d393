/** Definition files that are cut, damaged or made to harm. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { DdfFormatError } from "./ddf-format-error.ts";
import { parseDdf } from "./ddf-parser.ts";
import { aDdf, anItem, anObject } from "./testing/ddf-fixtures.ts";

test("XML 1.0 §4: no DOCTYPE is read, so entities neither expand nor fetch anything", () => {
  const bomb = `<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`;
  const external = `<!DOCTYPE LWM2M SYSTEM "file:///etc/hostname">`;
  for (const doctype of [bomb, external, bomb.toLowerCase(), `${bomb}${external}`]) {
    const xml = aDdf().replace("<LWM2M", `${doctype}<LWM2M`);
    assert.throws(
      () => parseDdf(xml),
      (error) => error instanceof DdfFormatError && error.code === "xml" && /DOCTYPE/.test(error.message),
    );
  }
  // An entity nobody declared stays text.
  assert.equal(parseDdf(aDdf([anObject({ name: "A &unknown; B" })]))[0]?.name, "A &unknown; B");
});

test("a file over the size bound, or nested without end, costs one bounded look", () => {
  assert.throws(
    () => parseDdf(`${aDdf()}${" ".repeat(2_000_001)}`),
    (error) => error instanceof DdfFormatError && error.code === "limit",
  );
  const deep = `<LWM2M>${"<a>".repeat(50_000)}${"</a>".repeat(50_000)}</LWM2M>`;
  assert.throws(() => parseDdf(deep), DdfFormatError);
});

test("a hostile file of the largest size is read or refused within a second", () => {
  const of = (range: string): string => aDdf([anObject({ items: [anItem({ type: "String", range })] })]);
  const files = [
    of(`1${" ".repeat(490_000)}x`),
    of("1,".repeat(245_000)),
    of("&#65;".repeat(98_000)),
    of("<![CDATA[a]]>".repeat(37_000)),
    `<LWM2M>${"<a/>".repeat(120_000)}</LWM2M>`,
    `<LWM2M>${"<".repeat(490_000)}`,
    `<LWM2M>${"<![CDATA[".repeat(54_000)}`,
    `<LWM2M ${Array.from({ length: 40_000 }, (_, index) => `a${index}="1"`).join(" ")}/>`,
  ];
  for (const xml of files) {
    // The time this process worked, not the time of the wall: other processes do not count.
    const before = process.cpuUsage();
    try {
      parseDdf(xml);
    } catch (error) {
      assert.ok(error instanceof DdfFormatError, String(error));
      assert.ok(error.message.length < 400);
    }
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 3_000_000, `${user + system} µs for ${xml.slice(0, 40)}`);
  }
});

test("names that are special to JavaScript objects are only names", () => {
  for (const tag of ["__proto__", "constructor", "hasOwnProperty", "toString"]) {
    const xml = aDdf().replace("<Resources>", `<${tag}>x</${tag}><Resources>`);
    let outcome: unknown;
    try {
      outcome = parseDdf(xml)[0]?.name;
    } catch (error) {
      outcome = error;
    }
    assert.ok(outcome === "Tank" || outcome instanceof DdfFormatError, tag);
  }
  assert.equal(Reflect.get({}, "x"), undefined);
});

test("a definition file cut at every character is refused as such, never otherwise", () => {
  const xml = aDdf([anObject({ items: [anItem({ id: "0", range: "0..9" }), anItem()] })]);
  const whole = xml.lastIndexOf("</LWM2M>") + "</LWM2M>".length;
  for (let end = 0; end < whole; end++) assert.throws(() => parseDdf(xml.slice(0, end)), DdfFormatError, `cut at ${end}`);
});

test("a definition file with random damage is read or refused as such, never otherwise", () => {
  const random = seededRandom(20);
  const xml = aDdf([anObject({ items: [anItem({ id: "0", range: "0..9" }), anItem()] })]);
  const pieces = [
    "<",
    ">",
    "/",
    "&",
    "&#x0;",
    "&#99999999;",
    "]]>",
    "<![CDATA[",
    "<!--",
    '"',
    "\0",
    "\uD800",
    "<Item>",
    "</Object>",
    "9",
    " ",
  ];
  for (let round = 0; round < 3_000; round++) {
    const at = random.integer(xml.length);
    const damaged = xml.slice(0, at) + random.pick(pieces) + xml.slice(at + random.integer(12));
    try {
      parseDdf(damaged);
    } catch (error) {
      assert.ok(error instanceof DdfFormatError, `seed ${random.seed}, round ${round}: ${error}`);
    }
  }
});
