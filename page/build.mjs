// Writes the bundles, their licences and a table of versions into the folder that is given.
// The same lock gives the same bytes: a test builds again and compares.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const target = process.argv[2];
const bundles = ["three.js", "tus.js"];
// three.js carries copies of two libraries: the first is taken from its own package, the second is left out.
const instead = {
  name: "instead",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /libs\/fflate\.module\.js$/ }, ({ resolveDir, kind }) => resolve("fflate", { resolveDir, kind }));
    onResolve({ filter: /libs\/zstddec\.module\.js$/ }, () => ({ path: join(import.meta.dirname, "no_zstd.js") }));
  },
};

mkdirSync(target, { recursive: true });
const { metafile } = await build({
  entryPoints: bundles,
  outdir: target,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  plugins: [instead],
  logLevel: "warning",
});
const sources = Object.keys(metafile.inputs).sort();
const packages = [...new Set(sources.map(packageOf).filter(Boolean))];
writeFileSync(join(target, "LICENSES.txt"), licences());
writeFileSync(join(target, "versions.json"), JSON.stringify(versions(), null, 2) + "\n");

function packageOf(source) {
  return source.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
}

function describe(name) {
  return JSON.parse(readFileSync(join("node_modules", name, "package.json"), "utf8"));
}

function licences() {
  const parts = packages.map((name) => `${name} ${describe(name).version}\n\n${licenceOf(name).trim()}\n`);
  return parts.join("\n" + "-".repeat(80) + "\n\n");
}

function licenceOf(name) {
  const folder = join("node_modules", name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no licence text`);
  return readFileSync(join(folder, file), "utf8");
}

function versions() {
  const entries = [...bundles, "LICENSES.txt"].map((name) => [name, digest(join(target, name))]);
  return {
    packages: Object.fromEntries(["esbuild", ...packages].sort().map((name) => [name, describe(name).version])),
    files: Object.fromEntries(entries),
  };
}

function digest(path) {
  const content = readFileSync(path);
  return { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}
