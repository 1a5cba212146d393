/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("interrupted operations over FerretDB", async () => {
  await import("../../../operations/interrupted.test.ts");
});
