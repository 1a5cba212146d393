/** The suites of the feature once more, on a MongoDB-wire server. */
import { isLongSuiteWanted, worldsOnFerret } from "../../../testing/platform/store-suite.ts";

const name = "standing observations of devices that restart, over FerretDB";

if (isLongSuiteWanted(name)) {
  await worldsOnFerret(name, async () => {
    await import("../../../observations/standing-restarts.test.ts");
  });
}
