import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AttributeProblem,
  attributesOfLink,
  effectiveAttributes,
  encodeAttributeQuery,
  findAttributeProblem,
  inheritAttributes,
  linkAttributes,
  mergeAttributes,
  type NotificationAttributes,
  parseAttributeQuery,
} from "./attributes.ts";
import { formatLinks, parseLinks } from "./link-format.ts";

test("LwM2M Core 1.1 §6.3.4: Write-Attributes query, both ways", () => {
  const query = ["pmin=10", "pmax=60", "gt=50", "lt=42.2", "st=0.5", "epmin=1", "epmax=5", "edge=1", "con=0", "hqmax=20"];
  const attributes = { pmin: 10, pmax: 60, gt: 50, lt: 42.2, st: 0.5, epmin: 1, epmax: 5, edge: 1, con: 0, hqmax: 20 };
  assert.deepEqual(parseAttributeQuery(query), attributes);
  assert.deepEqual(encodeAttributeQuery(parseAttributeQuery(query)), query);
  assert.deepEqual(parseAttributeQuery(["pmin", "gt"]), { pmin: null, gt: null });
  assert.deepEqual(encodeAttributeQuery({ gt: null, pmin: null }), ["pmin", "gt"]);
});

test("eclipse-leshan/leshan#1427: signs, exponents and decimals of a whole number are read; none is written with an exponent", () => {
  assert.deepEqual(parseAttributeQuery(["gt=-1.5e3", "st=1.000000", "pmin=10.0"]), { gt: -1500, st: 1, pmin: 10 });
  assert.deepEqual(encodeAttributeQuery({ gt: -1e-7, lt: 1e21 }), ["gt=-0.0000001", "lt=1000000000000000000000"]);
});

test("LwM2M Core 1.1 §6.3.4: what is no attribute, no value or given twice is refused", () => {
  for (const query of [
    ["foo=1"],
    ["pmin="],
    ["pmin=-1"],
    ["pmin=1.5"],
    ["gt=high"],
    ["edge=2"],
    ["con=true"],
    ["pmin=1", "pmin=2"],
    ["toString"],
    ["hqmax=4294967296"],
  ]) {
    assert.throws(() => parseAttributeQuery(query), { name: "Lwm2mFormatError", code: "attribute" }, query.join("&"));
  }
});

const problems: readonly (readonly [NotificationAttributes, AttributeProblem | undefined])[] = [
  [{ pmin: 10, pmax: 9 }, undefined],
  [{ pmin: 10, pmax: 10 }, undefined],
  [{ pmin: 10, pmax: 0 }, undefined],
  [{ epmin: 5, epmax: 5 }, "epmin>=epmax"],
  [{ epmin: 4, epmax: 5 }, undefined],
  [{ lt: 5, gt: 5 }, "lt>=gt"],
  [{ lt: -5, gt: 5 }, undefined],
  [{ lt: 0, gt: 10, st: 5 }, "lt+2*st>=gt"],
  [{ lt: 0, gt: 10, st: 4.9 }, undefined],
  [{ st: 0 }, "st<=0"],
  [{}, undefined],
];

test("LwM2M Core 1.1 §5.1.2: contradictions by name", () => {
  for (const [attributes, problem] of problems) assert.equal(findAttributeProblem(attributes), problem, JSON.stringify(attributes));
  for (const level of ["object", "instance"] as const) {
    assert.equal(findAttributeProblem({ gt: 1 }, level), "not-at-this-level");
    assert.equal(findAttributeProblem({ pmin: 1, con: 1, hqmax: 2 }, level), undefined);
  }
  assert.equal(findAttributeProblem({ gt: 1, edge: 0 }, "resourceInstance"), undefined);
});

test("as Eclipse Leshan tests it: later writes merge, a name without value unsets", () => {
  const first = mergeAttributes({}, parseAttributeQuery(["pmin=10", "gt=5"]));
  assert.deepEqual(mergeAttributes(first, parseAttributeQuery(["gt", "pmax=60"])), { pmin: 10, pmax: 60 });
  assert.deepEqual(first, { pmin: 10, gt: 5 });
});

test("LwM2M Core 1.1 §5.1.2: the innermost level that sets an attribute wins", () => {
  const levels = [{ pmin: 4 }, { pmin: 3, gt: 30 }, { pmin: 2, pmax: 20 }, { pmin: 1, pmax: 10, con: 1 }] as const;
  assert.deepEqual(inheritAttributes(levels), { pmin: 4, gt: 30, pmax: 20, con: 1 });
  assert.deepEqual(inheritAttributes([]), {});
});

test("LwM2M Core 1.1 §5.1.2: a pmax of 0 or below pmin has no effect", () => {
  assert.deepEqual(effectiveAttributes([{ pmax: 5 }, { pmin: 10 }]), { pmin: 10 });
  assert.deepEqual(effectiveAttributes([{ pmax: 0 }]), {});
  assert.deepEqual(effectiveAttributes([{ pmin: 10, pmax: 10 }]), { pmin: 10, pmax: 10 });
});

test("LwM2M Core 1.1 §5.1.2: change conditions that several writes bring into contradiction have no effect, the periods have", () => {
  assert.deepEqual(effectiveAttributes([{ lt: 40 }, { gt: 30, pmin: 1, pmax: 60 }]), { pmin: 1, pmax: 60 });
  assert.deepEqual(effectiveAttributes([{ st: 5 }, { gt: 10, lt: 0, con: 1 }]), { con: 1 });
  assert.deepEqual(effectiveAttributes([{ epmin: 9 }, { epmax: 5, gt: 1, edge: 0 }]), { gt: 1, edge: 0 });
  assert.deepEqual(effectiveAttributes([{ st: 4 }, { gt: 10, lt: 0, epmin: 1 }, { epmax: 2 }]), {
    gt: 10,
    lt: 0,
    st: 4,
    epmin: 1,
    epmax: 2,
  });
});

test("LwM2M Core 1.1 §6.3.2: attributes in Discover links, both ways, beside others", () => {
  const [link] = parseLinks("</3/0/7>;dim=8;gt=50;lt=42.2;pmin=oops;pmax").links;
  assert.ok(link);
  assert.deepEqual(attributesOfLink(link.attributes), { gt: 50, lt: 42.2 });
  assert.equal(formatLinks([{ target: "/3/0/7", attributes: linkAttributes({ gt: 50, lt: 42.2 }) }]), "</3/0/7>;gt=50;lt=42.2");
});
