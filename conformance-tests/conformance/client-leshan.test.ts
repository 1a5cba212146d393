/** The cases for clients, run against a foreign client. */
import { leshanClassPath } from "../interop/platform/locations.ts";
import { interopSuite } from "../interop/platform/suite.ts";
import type { Verdict } from "./case.ts";
import { judgeClient, quoted } from "./testing/judge-client.ts";

/** It starts in half a second with only the first compiler tier. */
const javaOptions = [
  "-XX:TieredStopAtLevel=1",
  "-Xmx96m",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-cp",
  leshanClassPath("leshan-2"),
];

/** What is true of this release of Leshan and of the objects of the test client (`interop/peers/leshan-2`). */
const knownOfLeshan: ReadonlyMap<string, Verdict | "left out"> = new Map([
  // The test client says 2.04 to a reboot and stays.
  ["LightweightM2M-1.1-int-241", "left out"],
  // It answers 4.04 where it hides object 0, and 5.00 to Write-Attributes, which it does not implement.
  ["LightweightM2M-1.1-int-221", "Fail"],
  ["LightweightM2M-1.1-int-260", "Fail"],
  // Its object 1 has neither Disable Timeout nor, by that, configuration C.3; its object 3 no /3/0/8 of C.4.
  ["LightweightM2M-1.1-int-103", "Not Applicable"],
  ["LightweightM2M-1.1-int-205", "Not Applicable"],
  ["LightweightM2M-1.1-int-215", "Not Applicable"],
  ["LightweightM2M-1.1-int-301", "Not Applicable"],
  ["LightweightM2M-1.1-int-302", "Not Applicable"],
  ["LightweightM2M-1.1-int-303", "Not Applicable"],
  // Californium acknowledges what it cannot parse with 4.02, where RFC 7252 §4.2 asks for a Reset or silence.
  ["RFC7252-4.2-format", "Fail"],
]);

interopSuite("the conformance cases for clients against Leshan", ["leshan-2"], () => {
  const command = ["java", ...javaOptions, "Main", "--endpoint", "judged", "--server"];
  judgeClient("Leshan 2.0.0-M14", (uri) => ({ line: quoted([...command, uri]), stop: "stdin" }), knownOfLeshan);
});
