/** The suites of the feature once more, on a MongoDB-wire server. */
import { isLongSuiteWanted, worldsOnFerret } from "../../../testing/platform/store-suite.ts";

const name = "results of firmware updates over FerretDB";

if (isLongSuiteWanted(name)) {
  await worldsOnFerret(name, async () => {
    await import("../../../firmware/update.test.ts");
  });
}
