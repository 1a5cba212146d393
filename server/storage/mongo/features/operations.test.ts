/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("operations over FerretDB", async () => {
  await import("../../../operations/operations.test.ts");
});
