/** The ETSI CoAP plugtest with libcoap on the other side: its client against our endpoint, our endpoint against its server. */
import { after, before } from "node:test";
import { removeDirectory, temporaryDirectory } from "../interop/platform/locations.ts";
import { interopSuite } from "../interop/platform/suite.ts";
import { openLibcoapClient, openLibcoapServer } from "./platform/libcoap-parties.ts";
import { openOurClient, openOurServer } from "./platform/our-parties.ts";
import { casesAtOnce, plugtest } from "./plugtest-suite.ts";

interopSuite(
  "ETSI plugtest: libcoap's client, our endpoint as server",
  ["libcoap"],
  () => {
    let directory: string;
    before(async () => {
      directory = await temporaryDirectory();
    });
    after(() => removeDirectory(directory));
    plugtest("libcoap asks us", () => ({ openClient: (to) => openLibcoapClient(to, directory), openServer: openOurServer }));
  },
  casesAtOnce,
);

interopSuite(
  "ETSI plugtest: our endpoint as client, libcoap's server",
  ["libcoap"],
  () => {
    let directory: string;
    before(async () => {
      directory = await temporaryDirectory();
    });
    after(() => removeDirectory(directory));
    plugtest("we ask libcoap", () => ({
      openClient: openOurClient,
      openServer: ({ nonConfirmableNotifications }) => openLibcoapServer(directory, nonConfirmableNotifications),
    }));
  },
  casesAtOnce,
);
