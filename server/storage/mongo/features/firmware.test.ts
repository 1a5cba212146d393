/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("firmware updates over FerretDB", async () => {
  await import("../../../firmware/update-cancel.test.ts");
});
