/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("operations of sleeping devices over FerretDB", async () => {
  await import("../../../operations/sleeping-device.test.ts");
});
