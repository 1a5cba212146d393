/** The suites of the feature once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("groups and filters over FerretDB", async () => {
  await import("../../../groups/groups.test.ts");
});
