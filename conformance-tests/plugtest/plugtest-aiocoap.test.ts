/** The ETSI CoAP plugtest with aiocoap on the other side, as client and as server. */
import { after, before } from "node:test";
import { PythonPeer } from "../interop/platform/python-peer.ts";
import { interopSuite } from "../interop/platform/suite.ts";
import { openAiocoapClient, openAiocoapServer } from "./platform/aiocoap-parties.ts";
import { openOurClient, openOurServer } from "./platform/our-parties.ts";
import { casesAtOnce, plugtest } from "./plugtest-suite.ts";

interopSuite(
  "ETSI plugtest: aiocoap's client, our endpoint as server",
  ["python"],
  () => {
    let python: PythonPeer;
    before(async () => {
      python = await new PythonPeer("coap_peer.py").started();
    });
    after(() => python?.stop());
    plugtest("aiocoap asks us", () => ({ openClient: (to) => openAiocoapClient(python, to), openServer: openOurServer }));
  },
  casesAtOnce,
);

interopSuite(
  "ETSI plugtest: our endpoint as client, aiocoap's server",
  ["python"],
  () => {
    let python: PythonPeer;
    before(async () => {
      python = await new PythonPeer("coap_peer.py").started();
    });
    after(() => python?.stop());
    plugtest("we ask aiocoap", () => ({ openClient: openOurClient, openServer: () => openAiocoapServer(python) }));
  },
  casesAtOnce,
);
