/** The suites of two servers on one store once more, on a MongoDB-wire server. */
import { worldsOnFerret } from "../../../testing/platform/store-suite.ts";

await worldsOnFerret("two servers on one store over FerretDB", async () => {
  await import("../../../operations/two-processes.test.ts");
});
