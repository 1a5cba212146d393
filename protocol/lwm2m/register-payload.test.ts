import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLinks } from "./link-format.ts";
import { parseRegisterPayload, type RegisterPayload, type RegisterTolerance, registerLinks } from "./register-payload.ts";

function payload(parts: Partial<RegisterPayload>): RegisterPayload {
  return { rootPath: "/", contentFormats: [], objects: [], tolerances: [], ignored: [], ...parts };
}

test("LwM2M Core 1.1 §6.2.1: objects, instances, versions and formats", () => {
  assert.deepEqual(
    parseRegisterPayload('</>;rt="oma.lwm2m";ct="110 112 60",</1>;ver=1.1,</1/1>,</1/0>,</3/0>,</5>', { strict: true }),
    payload({
      contentFormats: [110, 112, 60],
      objects: [
        { id: 1, version: "1.1", instances: [0, 1] },
        { id: 3, instances: [0] },
        { id: 5, instances: [] },
      ],
    }),
  );
});

test("LwM2M Core 1.1 §6.2.1: alternate root path, quoted or not, with one format", () => {
  for (const type of ['"oma.lwm2m"', "oma.lwm2m"]) {
    assert.deepEqual(
      parseRegisterPayload(`</lwm2m>;rt=${type};ct=110,</lwm2m/1/0>,</lwm2m/3/0>`, { strict: true }),
      payload({
        rootPath: "/lwm2m",
        contentFormats: [110],
        objects: [
          { id: 1, instances: [0] },
          { id: 3, instances: [0] },
        ],
      }),
    );
  }
});

test("as Eclipse Leshan tests it: links outside the root path or of no object are ignored and named", () => {
  const read = parseRegisterPayload('</lwm2m/>;rt="oma.lwm2m",</lwm2m/3/0>,</1/0>,</sensors>,</lwm2m/65535>,</lwm2m/3/0/1>');
  assert.deepEqual(
    read,
    payload({
      rootPath: "/lwm2m",
      objects: [{ id: 3, instances: [0] }],
      tolerances: ["ignored-link"],
      ignored: ["/1/0", "/sensors", "/lwm2m/65535", "/lwm2m/3/0/1"],
    }),
  );
});

const deviations: readonly (readonly [string, RegisterTolerance, Partial<RegisterPayload>])[] = [
  ["</>;ct=110;ct=112,</3/0>", "repeated-content-format", { contentFormats: [110, 112] }],
  ["</>;ct=110 112,</3/0>", "link-unquoted-value", { contentFormats: [110, 112] }],
  ["</>;ct=110,</3/0>", "root-without-type", { contentFormats: [110] }],
  ["</3/0/>", "trailing-slash", {}],
  ["<3/0>", "relative-target", {}],
  ["</3/0>, </0/0>, </21/0>, </23/0>", "hidden-object", {}],
];

test("field deviations: deviations are read, recorded, and refused in strict mode", () => {
  for (const [text, tolerance, expected] of deviations) {
    const read = parseRegisterPayload(text);
    assert.ok(read.tolerances.includes(tolerance), text);
    assert.deepEqual({ ...read, tolerances: [] }, payload({ objects: [{ id: 3, instances: [0] }], ...expected }), text);
    assert.throws(() => parseRegisterPayload(text, { strict: true }), { code: "link-format" }, text);
  }
});

test("LwM2M Core 1.1 §7.2.2: ver on the object, on its only instance (eclipse-leshan/leshan#1273), quoted (#732)", () => {
  assert.deepEqual(
    parseRegisterPayload("</1/0>;ver=1.1"),
    payload({ objects: [{ id: 1, version: "1.1", instances: [0] }], tolerances: ["version-on-instance"] }),
  );
  assert.deepEqual(
    parseRegisterPayload('</1>;ver="1.1"'),
    payload({ objects: [{ id: 1, version: "1.1", instances: [] }], tolerances: ["quoted-version"] }),
  );
  assert.throws(() => parseRegisterPayload("</1>;ver=one"), { code: "link-format" });
});

test("RFC 6690 §4: ct that is no content format is refused", () => {
  for (const ct of ['"110 x"', "70000", "-1"])
    assert.throws(() => parseRegisterPayload(`</>;rt="oma.lwm2m";ct=${ct}`), { code: "link-format" });
});

test("LwM2M Core 1.1 §6.2.1: what a client sends is what a server reads", () => {
  const lists: readonly Pick<RegisterPayload, "rootPath" | "contentFormats" | "objects">[] = [
    { rootPath: "/", contentFormats: [], objects: [{ id: 3, instances: [0] }] },
    {
      rootPath: "/",
      contentFormats: [110, 112],
      objects: [
        { id: 1, version: "1.2", instances: [0, 7] },
        { id: 3303, instances: [] },
      ],
    },
    { rootPath: "/lwm2m", contentFormats: [], objects: [{ id: 5, version: "1.1", instances: [0] }] },
  ];
  for (const list of lists) assert.deepEqual(parseRegisterPayload(formatLinks(registerLinks(list)), { strict: true }), payload(list));
  assert.equal(
    formatLinks(registerLinks({ rootPath: "/", contentFormats: [110], objects: [{ id: 1, version: "1.1", instances: [0] }] })),
    '</>;rt="oma.lwm2m";ct=110,</1>;ver=1.1,</1/0>',
  );
});
