/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("desired twin over FerretDB", async () => {
  await import("../../../twin/desired.test.ts");
  await import("../../../twin/desired-conflict.test.ts");
  await import("../../../twin/late-and-repeated.test.ts");
});
