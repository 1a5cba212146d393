import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findInstant } from "@lwm2m/protocol/platform/instant";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { compileFilter } from "../storage/matcher.ts";
import { type Condition, type Fields, type FieldValues, isFitting } from "./filter.ts";
import { filterLimits, parseFilter } from "./filter-parser.ts";
import { storeFilter } from "./store-filter.ts";

const fields: Fields = { maker: "text", model: "text", size: "number", awake: "boolean", at: "time", tags: "texts" };
const device: FieldValues = {
  maker: "Acme",
  model: "XB-7 'pro'",
  size: 10,
  awake: true,
  at: findInstant("2026-01-02T00:00:00Z"),
  tags: ["north", "old"],
};

function read(text: string): Condition {
  const reading = parseFilter(text, fields);
  assert.ok(reading.ok, reading.ok ? "" : `${reading.fault.position}: ${reading.fault.detail}`);
  return reading.condition;
}

/** Of `device`, whether it fits. */
const fitting: readonly (readonly [string, boolean])[] = [
  ["maker==Acme", true],
  ["maker==acme", false],
  ["maker!=Acme", false],
  ["maker==Ac*", true],
  ["maker==*", true],
  ["maker!=B*", true],
  ["model=='XB-7 \\'pro\\''", true],
  [`model=="XB-7 'pro'"`, true],
  ["model==XB*", true],
  ["maker=in=(Acme,Bolt)", true],
  ["maker=out=(Acme,Bolt)", false],
  ["maker=in=('Bolt')", false],
  ["size==10", true],
  ["size<10", false],
  ["size<=10", true],
  ["size=lt=10.5", true],
  ["size>-1;size<11", true],
  ["size=gt=10", false],
  ["size=ge=10", true],
  ["size=in=(1,10)", true],
  ["awake==true", true],
  ["awake!=true", false],
  ["at>2026-01-01T00:00:00Z", true],
  ["at<2026-01-01T00:00:00Z", false],
  ["at==2026-01-02T01:00:00+01:00", true],
  ["tags==north", true],
  ["tags==no*", true],
  ["tags!=south", true],
  ["tags=in=(south,old)", true],
  ["tags==north;tags==old", true],
  ["maker==B*,size==10", true],
  ["maker==B*,size==11;awake==true", false],
  ["(maker==B*,size==10);awake==true", true],
  ["( maker == Acme ; ( size == 1 , size == 10 ) )", true],
];

describe("RSQL: what fits", () => {
  for (const [text, expected] of fitting) test(`${text} is ${expected}`, () => assert.equal(isFitting(read(text), device), expected));

  test("; binds before ,", () => {
    assert.deepEqual(read("maker==a,maker==b;size==1").kind, "or");
  });

  test("what is not known equals nothing, and differs from all", () => {
    const unknown: FieldValues = { maker: null };
    const fits = (text: string): boolean => isFitting(read(text), unknown);
    assert.deepEqual(["maker==a", "maker!=a", "maker==*", "maker!=*", "size<1", "tags==a", "tags=out=(a)"].map(fits), [
      ...[false, true, false, true, false, false, true],
    ]);
  });
});

/** Position and field of the fault, and what is said of it. */
const faults: readonly (readonly [string, number, string | undefined, RegExp])[] = [
  ["", 1, undefined, /got the end, expected the name of a field/],
  ["colour==red", 1, "colour", /no field "colour"; the fields are maker, model/],
  ["__proto__==1", 1, "__proto__", /no field/],
  ["maker", 6, "maker", /got the end, expected one of ==/],
  ["maker=Acme", 6, "maker", /got "=", expected one of/],
  ["maker==", 8, "maker", /got the end, expected a value/],
  ["maker==Acme;", 13, undefined, /got the end, expected the name/],
  ["maker==Acme)", 12, undefined, /got "\)", expected ; or , or the end/],
  ["(maker==Acme", 13, undefined, /expected \)/],
  ["maker==Acme size==1", 13, undefined, /got "s", expected ; or ,/],
  ["maker<Acme", 6, "maker", /no number and no time/],
  ["size==ten", 7, "size", /got "ten", expected a number/],
  ["size==1e3", 7, "size", /expected a number/],
  ["size==1*", 7, "size", /stands for what follows in a text/],
  ["awake==yes", 8, "awake", /expected true or false/],
  ["at>yesterday", 4, "at", /expected a time such as/],
  ["maker==A*e", 9, "maker", /at the end of a value only/],
  ["maker=='A*e'", 10, "maker", /at the end of a value only/],
  ["maker=in=(A*)", 11, "maker", /after == and != only/],
  ["maker=in=Acme", 10, "maker", /expected \( and values/],
  ["maker=in=(Acme", 15, "maker", /expected , or \)/],
  ["maker=='Acme", 8, "maker", /' is not closed/],
  ["size==1;maker==", 16, "maker", /expected a value/],
];

describe("RSQL: what is refused, and where", () => {
  for (const [text, position, field, detail] of faults) {
    test(JSON.stringify(text), () => {
      const reading = parseFilter(text, fields);
      assert.ok(!reading.ok);
      assert.deepEqual([reading.fault.position, reading.fault.field], [position, field], reading.fault.detail);
      assert.match(reading.fault.detail, detail);
    });
  }

  test("its limits: characters, comparisons, values, brackets", () => {
    const faultOf = (text: string): string => {
      const reading = parseFilter(text, fields);
      return reading.ok ? "" : reading.fault.detail;
    };
    const { characters, comparisons, values, depth } = filterLimits;
    const many = (count: number): string => Array.from({ length: count }, () => "size==1").join(";");
    const listed = (count: number): string => `size=in=(${Array.from({ length: count }, () => "1").join(",")})`;
    const nested = (count: number): string => `${"(".repeat(count)}size==1${")".repeat(count)}`;
    assert.deepEqual([faultOf(many(comparisons)), faultOf(listed(values)), faultOf(nested(depth))], ["", "", ""]);
    assert.match(faultOf(many(comparisons + 1)), /more than 50 comparisons/);
    assert.match(faultOf(listed(values + 1)), /101 values, at most 100/);
    assert.match(faultOf(nested(depth + 1)), /brackets within brackets/);
    assert.match(faultOf("x".repeat(characters + 1)), /2049 characters, at most 2048/);
  });

  test("cut at every character: a filter or a fault, and nothing else", () => {
    const whole = `(maker=='a\\'b*',size=in=(1,2));at>=2026-01-01T00:00:00Z;tags=out=("x",y)`;
    assert.ok(parseFilter(whole, fields).ok);
    for (let length = 0; length < whole.length; length += 1) {
      const reading = parseFilter(whole.slice(0, length), fields);
      if (!reading.ok) assert.ok(reading.fault.position >= 1 && reading.fault.position <= length + 1);
    }
  });
});

describe("the filter of the store", () => {
  const columns: { readonly [field: string]: readonly string[] } = {
    ...{ maker: ["maker"], model: ["model"], size: ["size"], awake: ["awake"] },
    tags: ["tag0", "tag1"],
  };
  const columnsOf = (field: string) => columns[field];

  test("what an index narrows, and no more: one $and, one $or", () => {
    assert.deepEqual(storeFilter(read("maker==Acme;size>=1;size<9;tags==north;at>2026-01-01T00:00:00Z;model!=X"), columnsOf), {
      $and: [{ maker: "Acme" }, { size: { $gte: 1 } }, { size: { $lt: 9 } }],
      $or: [{ tag0: "north" }, { tag1: "north" }],
    });
    assert.deepEqual(storeFilter(read("maker==A*,size=in=(1,2)"), columnsOf), {
      $or: [{ maker: { $gte: "A" } }, { size: { $in: [1, 2] } }],
    });
    assert.deepEqual(storeFilter(read("maker==A,at>2026-01-01T00:00:00Z"), columnsOf), {});
    assert.deepEqual(storeFilter(read("maker=out=(A,B)"), columnsOf), {});
  });

  test("whoever fits is found by it: 2,000 filters over 40 devices", () => {
    const random = seededRandom(11);
    const pick = <T>(of: readonly [T, ...T[]]): T => of[(random.bytes(1)[0] ?? 0) % of.length] ?? of[0];
    const devices = Array.from({ length: 40 }, (_, number) => ({
      ...{ _id: `d${number}`, maker: pick(["A", "AB", "B", null]), model: pick(["X", "Y", null]) },
      ...{ size: pick([1, 2, 3, null]), awake: pick([true, false, null]), tags: pick<readonly string[]>([[], ["x"], ["x", "y"], ["y"]]) },
    }));
    const comparisons: readonly [string, ...string[]] = [
      "maker==A",
      "maker==A*",
      "maker!=A",
      "maker=in=(A,B)",
      "model=out=(X)",
      "size>1",
      "size<=2",
      "awake==true",
      "tags==x",
      "tags!=y",
      "model==*",
    ];
    const join = (depth: number): string => {
      if (depth === 0) return pick(comparisons);
      return `(${join(depth - 1)}${pick([";", ","])}${join(depth - 1)}${pick([";", ","])}${pick(comparisons)})`;
    };
    for (let round = 0; round < 2_000; round += 1) {
      const text = join(round % 3);
      const condition = read(text);
      const filter = storeFilter(condition, columnsOf);
      const isFound = compileFilter(filter);
      for (const each of devices) {
        if (!isFitting(condition, each)) continue;
        const [tag0 = null, tag1 = null] = each.tags;
        assert.ok(isFound({ ...each, tag0, tag1 }), `${text} finds ${JSON.stringify(each)} by ${JSON.stringify(filter)}`);
      }
    }
  });
});
