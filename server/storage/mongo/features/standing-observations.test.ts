/** The suites of the feature once more, on a MongoDB-wire server. */
import { isLongSuiteWanted, worldsOnFerret } from "../../../testing/platform/store-suite.ts";

const long = "standing observations of a fleet, and kills, over FerretDB";

await worldsOnFerret("standing observations over FerretDB", async () => {
  await import("../../../observations/standing-device.test.ts");
  await import("../../../observations/silence.test.ts");
  if (!isLongSuiteWanted(long)) return;
  await import("../../../observations/standing-group.test.ts");
  await import("../../../observations/standing-kill.test.ts");
});
