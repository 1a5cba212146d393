// `npm run bench [-- NAME… --seconds N]`: one JSON line per figure; a peer that is not installed is named on stderr.
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
  "wake-up",
  "firmware-pull",
  "rest",
];

const { names, seconds } = readArguments(process.argv.slice(2));
prepare();
const found = new Map(
  packages
    .flatMap((name) => files(join(root, name, "dist"), (file) => file.endsWith(".bench.js"), []))
    .map((file) => [basename(file, ".bench.js"), file]),
);
for (const name of names.length > 0 ? names : found.keys()) {
  const file = found.get(name);
  if (file === undefined) {
    console.error(`skipped: ${name} has no benchmark yet`);
    continue;
  }
  const { bench } = await import(pathToFileURL(file));
  for (const figure of await bench({ seconds })) console.log(JSON.stringify(figure));
}
process.exit(0);

function readArguments(args) {
  const names = [];
  let seconds = defaultSeconds;
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === "--seconds") {
      i += 1;
      seconds = Number(args[i]);
      if (!(seconds > 0)) stop(`--seconds takes a number above 0, got ${args[i]}`);
    } else if (known.includes(args[i])) names.push(args[i]);
    else stop(`no benchmark is called ${args[i]}; there are: ${known.join(", ")}`);
  }
  return { names, seconds };
}

function stop(message) {
  console.error(message);
  process.exit(2);
}
