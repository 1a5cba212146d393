import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSettings, type Settings } from "./config.ts";
import { settingDefinitions } from "./setting-definitions.ts";

function settingsOf(env: { readonly [name: string]: string }, ...argv: string[]): Settings {
  const parsed = parseSettings(env, argv);
  assert.equal(parsed.kind, "settings", JSON.stringify(parsed));
  return parsed.kind === "settings" ? parsed.settings : assert.fail();
}

function errorsOf(env: { readonly [name: string]: string }, ...argv: string[]): readonly string[] {
  const parsed = parseSettings(env, argv);
  return parsed.kind === "errors" ? parsed.errors : assert.fail(JSON.stringify(parsed));
}

test("the defaults", () => {
  const { dataDir, httpHost, httpPort, coapHost, coapPort, bootstrapCoapPort, apiKey, logLevel } = settingsOf({});
  assert.deepEqual(
    { dataDir, httpHost, httpPort, coapHost, coapPort, bootstrapCoapPort, apiKey, logLevel },
    {
      dataDir: "./data",
      httpHost: "127.0.0.1",
      httpPort: 8080,
      coapHost: "0.0.0.0",
      coapPort: 5683,
      bootstrapCoapPort: 5783,
      apiKey: undefined,
      logLevel: "info",
    },
  );
});

test("every setting is an environment variable and a flag; the flag wins; an empty variable is not set", () => {
  assert.equal(settingsOf({ HTTP_PORT: "9090" }).httpPort, 9090);
  assert.equal(settingsOf({ HTTP_PORT: "9090" }, "--http-port", "0").httpPort, 0);
  assert.equal(settingsOf({}, "--http-port=81").httpPort, 81);
  assert.equal(settingsOf({ HTTP_PORT: "" }).httpPort, 8080);
  assert.equal(settingsOf({}, "--api-key", "a-key-for-scripts").apiKey, "a-key-for-scripts");
});

test("every limit names its unit and its reason", () => {
  for (const definition of Object.values(settingDefinitions)) {
    assert.ok(definition.reason.length > 0 && definition.purpose.length > 0, definition.env);
    if (definition.kind === "integer") assert.ok("unit" in definition && definition.min < definition.max, definition.env);
  }
});

const mistakes: readonly (readonly [{ readonly [name: string]: string }, readonly string[], RegExp])[] = [
  [{ HTTP_PORT: "http" }, [], /^HTTP_PORT: got "http", expected a whole number from 0 to 65535/],
  [{ HTTP_PORT: "65536" }, [], /^HTTP_PORT: got "65536"/],
  [{ HTTP_PORT: "-1" }, [], /^HTTP_PORT: got "-1"/],
  [{ HTTP_PORT: "1e3" }, [], /^HTTP_PORT/],
  [{ LOG_LEVEL: "loud" }, [], /^LOG_LEVEL: got "loud", expected one of error, warn, info, debug$/],
  [{}, ["--nonsense"], /^--nonsense: no such flag/],
  [{}, ["data"], /^data: no such flag/],
  [{}, ["--http-port"], /^--http-port: a value is missing$/],
  [{}, ["--http-port", "--coap-port=1"], /^--http-port: a value is missing$/],
  [{}, ["--http-port=1", "--http-port=2"], /^--http-port: given twice$/],
  [{ API_KEY: "short" }, [], /^API_KEY: expected 16 to 256 visible ASCII characters/],
  [{ API_KEY: "has a space in the middle" }, [], /^API_KEY/],
  [{ COAP_PORT: "5683", BOOTSTRAP_COAP_PORT: "5683" }, [], /^BOOTSTRAP_COAP_PORT: 5683 is COAP_PORT's too/],
  [{ COAPS_PORT: "5784" }, [], /^BOOTSTRAP_COAPS_PORT: 5784 is COAPS_PORT's too/],
  [{ COAP_PORT: "0", COAPS_PORT: "5783" }, [], /^BOOTSTRAP_COAP_PORT: 5783 is COAPS_PORT's too/],
  [{ DTLS_CID_BYTES: "3" }, [], /^DTLS_CID_BYTES: got "3", expected 0 for none, or 4 to 16$/],
  [{ DTLS_CID_OWNER: "256" }, [], /^DTLS_CID_OWNER: got "256", expected a whole number from 0 to 255/],
  [{ DTLS_CID_BYTES: "17" }, [], /^DTLS_CID_BYTES: got "17", expected a whole number from 0 to 16/],
  [{ MONGO_POOL_SIZE: "0" }, [], /^MONGO_POOL_SIZE: got "0", expected a whole number from 1 to 1000/],
];

for (const [env, argv, line] of mistakes) {
  test(`one clear line for ${JSON.stringify(env)} ${argv.join(" ")}`, () => {
    const errors = errorsOf(env, ...argv);
    assert.equal(errors.length, 1, errors.join("\n"));
    assert.match(errors[0] ?? "", line);
    assert.equal(errors[0]?.includes("\n"), false);
  });
}

test("who asks for any free port gets one for the secured door too, unless that is named", () => {
  const portsOf = (env: { readonly [name: string]: string }): readonly number[] => {
    const parsed = parseSettings(env, []);
    const { settings } = parsed.kind === "settings" ? parsed : assert.fail();
    return [settings.coapPort, settings.coapsPort, settings.bootstrapCoapPort, settings.bootstrapCoapsPort];
  };
  assert.deepEqual(portsOf({}), [5683, 5684, 5783, 5784]);
  assert.deepEqual(portsOf({ COAP_PORT: "0", BOOTSTRAP_COAP_PORT: "0" }), [0, 0, 0, 0]);
  assert.deepEqual(portsOf({ COAP_PORT: "0", COAPS_PORT: "7000" }), [0, 7000, 5783, 5784]);
});

test("a refused key is not repeated in the message", () => {
  assert.equal(errorsOf({ API_KEY: "geheim" }).join().includes("geheim"), false);
});

test("every mistake is named at once", () => {
  assert.equal(errorsOf({ HTTP_PORT: "x", LOG_LEVEL: "y" }, "--z=1").length, 3);
});

test("--help names every setting", () => {
  const parsed = parseSettings({}, ["--help"]);
  const text = parsed.kind === "help" ? parsed.text : assert.fail();
  for (const definition of Object.values(settingDefinitions)) assert.ok(text.includes(definition.env), definition.env);
});
