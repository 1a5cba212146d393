/** The suites of the feature once more, on a MongoDB-wire server. */
import { isLongSuiteWanted, worldsOnFerret } from "../../../testing/platform/store-suite.ts";

const long = "standing observations of a fleet, and restarts, over FerretDB";

await worldsOnFerret("standing observations over FerretDB", async () => {
  await import("../../../observations/standing-device.test.ts");
  await import("../../../observations/silence.test.ts");
  if (!isLongSuiteWanted(long)) return;
  await import("../../../observations/standing-group.test.ts");
  // Days of a device that restarts, and the server killed at each write.
  await import("../../../observations/standing-restarts.test.ts");
});
