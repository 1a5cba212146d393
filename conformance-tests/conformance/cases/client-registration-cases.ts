/** Registration interface, cases 100 to 199 of the OMA test specification, for the client: this runner plays the server. */
import { type ClientCase, type ClientStage, NotApplicable } from "../case.ts";
import type { Contact } from "../platform/wire-server.ts";
import { textValues, uintValue, wireCode, wireFormat, wireOption } from "../wire-message.ts";
import { readLinks } from "../wire-payload.ts";
import { execute, expectLifetime, expectUpdate, queriesOf, readText, updateWithinMs, write } from "./client-steps.ts";
import { expectCode } from "./expect.ts";

/** How soon a client comes back that was told to go, rebooted or was forgotten. */
const backWithinMs = 30_000;
const disableSeconds = 3;

export const clientRegistrationCases: readonly ClientCase[] = [
  {
    id: "LightweightM2M-1.1-int-101",
    title: "Initial Registration",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const registration = await stage.server.registration(0);
      if (registration === undefined) throw new Error("a registered client has a registration");
      checkRegister(stage, registration);
      stage.check("the client serves requests once it has its 2.01", (await readText(client, "/3/0/16")) !== undefined);
    },
  },
  {
    id: "LightweightM2M-1.1-int-102",
    title: "Registration Update",
    role: "client",
    limitSeconds: 60,
    // The Update before the lifetime of 20 s ends (step 3) is optional and judges the server.
    async run(stage) {
      const client = await stage.client();
      const before = (await readText(client, `${client.account}/1`)) ?? "86400";
      await expectLifetime(stage, client, "20");
      await expectLifetime(stage, client, before);
    },
  },
  {
    id: "LightweightM2M-1.1-int-103",
    title: "Deregistration",
    role: "client",
    limitSeconds: 70,
    async run(stage) {
      const client = await stage.client();
      // Without it the client is away for a day (configuration C.3).
      const timeout = await write(client, `${client.account}/5`, String(disableSeconds));
      if (timeout?.code !== wireCode.changed) throw new NotApplicable(`${client.account}/5, Disable Timeout, cannot be written`);
      const disabled = await execute(client, `${client.account}/4`);
      if (disabled?.code === wireCode.notFound || disabled?.code === wireCode.methodNotAllowed)
        throw new NotApplicable(`the client has no ${client.account}/4, Disable`);
      expectCode(stage, "2.04 to Disable", disabled, wireCode.changed);
      const gone = await stage.server.contact(({ kind }) => kind === "deregister", updateWithinMs);
      stage.check("the client de-registers at the location it was given", gone?.answer === wireCode.deleted);
      const back = await stage.server.registration(backWithinMs);
      stage.check("it registers again after the Disable Timeout", back !== undefined);
    },
  },
  {
    id: "LightweightM2M-1.1-int-104",
    title: "Registration Update Trigger",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      expectCode(stage, "2.04 to the trigger", await execute(client, `${client.account}/8`), wireCode.changed);
      await expectUpdate(stage, "an Update without parameters follows", (queries) => queries.length === 0);
    },
  },
  {
    id: "LightweightM2M-1.1-int-105",
    title: "Discarded Register Update",
    role: "client",
    limitSeconds: 60,
    async run(stage) {
      const client = await stage.client();
      stage.server.forget();
      expectCode(stage, "2.04 to the trigger", await execute(client, `${client.account}/8`), wireCode.changed);
      const update = await expectUpdate(stage, "an Update comes", () => true);
      stage.check("and is answered 4.04", update?.answer === wireCode.notFound);
      const again = await stage.server.registration(backWithinMs);
      stage.check("the client registers again", again !== undefined);
      if (again !== undefined) checkRegister(stage, again);
    },
  },
  {
    id: "LightweightM2M-1.1-int-241",
    title: "Executable resource: reboot of the device",
    role: "client",
    limitSeconds: 70,
    async run(stage) {
      const client = await stage.client();
      stage.server.beginRegistration();
      expectCode(stage, "2.04 to Execute /3/0/4", await execute(client, "/3/0/4"), wireCode.changed);
      const again = await stage.server.registration(backWithinMs);
      stage.check("the device comes back with a Register", again !== undefined);
      if (again !== undefined) checkRegister(stage, again);
    },
  },
  {
    id: "wire-deregister-at-end",
    title: "A client that ends de-registers",
    role: "client",
    limitSeconds: 50,
    async run(stage) {
      await stage.client();
      const ending = stage.endClient();
      if (ending === undefined) throw new NotApplicable("the runner can end only what it started (--command)");
      await ending;
      const gone = await stage.server.contact(({ kind }) => kind === "deregister", 1_000);
      // LwM2M Core 1.1 §6.2.3 advises it, no more.
      if (gone === undefined) throw new NotApplicable("the client ended without a De-register, as it may");
      stage.check("at the location it was given", gone.answer === wireCode.deleted);
    },
  },
];

function checkRegister(stage: ClientStage, { message }: Contact): void {
  const queries = queriesOf(message);
  const value = (key: string): string | undefined => queries.find((each) => each.startsWith(`${key}=`))?.slice(key.length + 1);
  const text = queries.join("&");
  stage.check("the Register goes to /rd alone", textValues(message, wireOption.uriPath).join("/") === "rd");
  // From 1.1 on the name may be left out where the credential tells it; over plain UDP there is none.
  stage.check("it has an endpoint name", (value("ep") ?? "") !== "", text);
  stage.check("a lifetime", /^\d+$/.test(value("lt") ?? ""), text);
  stage.check("the version of the enabler", /^1\.\d$/.test(value("lwm2m") ?? ""), text);
  stage.check("its payload is in link format", uintValue(message, wireOption.contentFormat) === wireFormat.linkFormat);
  const paths = [...readLinks(message.payload).keys()];
  stage.check(
    "the list has an instance of /1 and /3/0",
    paths.some((path) => /^\/1\/\d+$/.test(path)) && paths.includes("/3/0"),
    String(paths),
  );
  const hidden = paths.filter((path) => /^\/(0|21)(\/|$)/.test(path));
  stage.check("and neither /0 nor /21", hidden.length === 0, String(hidden));
}
