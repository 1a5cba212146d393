import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { findPlainPath, resolveAnyName, resolveName } from "./senml-name.ts";

const strict = { typeOf: () => undefined, nowMs: 0, strict: true };
const lenient = { typeOf: () => undefined, nowMs: 0 };

/** A path, or the message of the refusal. */
function outcomeOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof Lwm2mFormatError);
    return error.message;
  }
}

test("RFC 8428 §4.5.1: base name and name are one text, wherever it is cut", () => {
  const whole = "/3442/0/1110/65534";
  const path = { objectId: 3442, instanceId: 0, resourceId: 1110, resourceInstanceId: 65_534 };
  for (let cut = 0; cut <= whole.length; cut++) {
    assert.deepEqual(findPlainPath(whole.slice(0, cut), whole.slice(cut)), path);
    assert.deepEqual(resolveAnyName(whole.slice(0, cut), whole.slice(cut), strict), path);
  }
});

test("LwM2M Core 1.1 §7.4.4: the short cut takes exactly the names that need no tolerance, and reads them as the whole rule does", () => {
  const seed = 20_261_121;
  const random = seededRandom(seed);
  const pieces = ["/0", "/3303", "/65534", "/3", "/", "0", "9", "65535", "03", "a", "-1", " ", "٣", "", "4294967296"];
  let taken = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = (): string => Array.from({ length: random.integer(6) }, () => random.pick(pieces)).join("");
    const baseName = text();
    const name = text();
    const message = `seed ${seed}: ${JSON.stringify([baseName, name])}`;
    const plain = findPlainPath(baseName, name);
    const whole = outcomeOf(() => resolveAnyName(baseName, name, strict));
    if (plain !== undefined) taken++;
    if (plain === undefined) assert.equal(typeof whole, "string", message);
    else assert.deepEqual(whole, plain, message);
    const expected = outcomeOf(() => resolveAnyName(baseName, name, lenient));
    assert.deepEqual(
      outcomeOf(() => resolveName(baseName, name, lenient)),
      expected,
      message,
    );
  }
  assert.ok(taken > 500, `${taken} names taken`);
});
