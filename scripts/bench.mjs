// `npm run bench [-- NAME… --seconds N]`: one JSON line per figure; a peer that is not installed is named on stderr.
// `npm run bench -- --setup`: only fetches and compiles the peers, as the first run would; code 1 when one cannot be measured.
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { files, packages, prepare, root } from "./prepare.mjs";

const defaultSeconds = 5;
const known = [
  "codec",
  "coap-get",
  "lwm2m-send",
  "dtls-echo",
  "dtls-handshake",
  "dtls-restore",
  "store",
  "telemetry",
  "registration",
  "fleet",
  "leshan-server",
  "million",
  "wake-up",
  "wake-up-plan",
  "firmware-pull",
  "rest",
];

const { names, seconds, setup } = readArguments(process.argv.slice(2));
prepare();
if (setup) {
  const peer = (name, of = "protocol") => import(pathToFileURL(join(root, of, "dist", "bench", `${name}.js`)));
  const { isLibcoapInstalled } = await peer("libcoap-server");
  const { isCaliforniumReady } = await peer("californium-server");
  const { isScandiumReady } = await peer("scandium-server");
  const { isLeshanReady } = await peer("leshan-peer", "server");
  const ready = [
    isLibcoapInstalled("coap-get"),
    isCaliforniumReady("coap-get"),
    isScandiumReady("dtls-echo"),
    isLeshanReady("leshan-server"),
  ];
  process.exit(ready.includes(false) ? 1 : 0);
}
/** What one package measures of a name, another may go on with: benches of one name run in the order of the packages. */
const found = new Map();
for (const file of packages.flatMap((name) => files(join(root, name, "dist"), (path) => path.endsWith(".bench.js"), []))) {
  const name = basename(file, ".bench.js");
  found.set(name, [...(found.get(name) ?? []), file]);
}
for (const name of names.length > 0 ? names : found.keys()) {
  if (!found.has(name)) console.error(`skipped: ${name} has no benchmark yet`);
  for (const file of found.get(name) ?? []) {
    const { bench } = await import(pathToFileURL(file));
    for (const figure of await bench({ seconds, isNamed: names.includes(name) })) console.log(JSON.stringify(figure));
  }
}
process.exit(0);

function readArguments(args) {
  const names = [];
  let seconds = defaultSeconds;
  let setup = false;
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === "--seconds") {
      i += 1;
      seconds = Number(args[i]);
      if (!(seconds > 0)) stop(`--seconds takes a number above 0, got ${args[i]}`);
    } else if (args[i] === "--setup") setup = true;
    else if (known.includes(args[i])) names.push(args[i]);
    else stop(`no benchmark is called ${args[i]}; there are: ${known.join(", ")}`);
  }
  return { names, seconds, setup };
}

function stop(message) {
  console.error(message);
  process.exit(2);
}
