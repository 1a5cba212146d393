/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("registration over FerretDB", async () => {
  await import("../../../registration/registration.test.ts");
});
