// What is chosen to be sent: by drop, by picker or by the phone's camera, and what to say about it before.

import { number, size, t } from "/page/i18n.js";

const FEW_PHOTOS = 8;
const NAMES_SHOWN = 3;
const VIDEO = /\.(3gp|avi|m4v|mkv|mov|mp4|mts|webm)$/i;
const ARCHIVE = /\.zip$/i;

/** Every file below what was dropped, and the folder's name where it was one folder. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return { files: [...transfer.files], name: "" };
  const files = [];
  for (const entry of entries) await collect(entry, files);
  const isFolder = entries.length === 1 && entries[0].isDirectory;
  return { files, name: isFolder ? entries[0].name : "" };
}

async function collect(entry, files) {
  if (entry.isFile) {
    files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // At most 100 at a time, and an empty list at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inside of some) await collect(inside, files);
  }
}

/** What of `files` would be sent, in words, with what is wrong and what could be better. */
export function judge(files, info) {
  const seen = files.filter((file) => !file.name.startsWith("."));
  const usable = seen.filter((file) => info.accepts.some((suffix) => file.name.toLowerCase().endsWith(suffix)));
  const bytes = usable.reduce((sum, file) => sum + file.size, 0);
  const problems = seen.length ? findProblems(usable, bytes, info) : [];
  return {
    files: usable,
    bytes,
    summary: summarise(usable, bytes, info.limits),
    problems,
    hints: [...leftOut(seen, usable), ...(problems.length ? [] : advice(usable))],
  };
}

function summarise(files, bytes, limits) {
  if (!files.length) return t("choose.nothing", { files: number(limits.max_files), size: size(limits.max_bytes) });
  if (files.length === 1) return t("choose.one", { name: files[0].name, size: size(bytes) });
  return t("choose.many", { count: number(files.length), size: size(bytes) });
}

function findProblems(files, bytes, { limits }) {
  if (!files.length) return [t("warnings.nothingUsable")];
  const found = [];
  if (files.length > limits.max_files) {
    found.push(t("warnings.tooMany", { count: number(files.length), limit: number(limits.max_files) }));
  }
  if (bytes > limits.max_bytes) found.push(t("warnings.tooLarge", { size: size(bytes), limit: size(limits.max_bytes) }));
  else if (bytes > limits.free_bytes) found.push(t("warnings.noRoom", { size: size(limits.free_bytes) }));
  const videos = files.filter((file) => VIDEO.test(file.name)).length;
  if (videos && videos < files.length) found.push(t("warnings.mixed"));
  return found;
}

function leftOut(seen, usable) {
  const others = seen.filter((file) => !usable.includes(file)).map((file) => file.name);
  if (!others.length || !usable.length) return [];
  const names = others.slice(0, NAMES_SHOWN).join(", ") + (others.length > NAMES_SHOWN ? ", …" : "");
  return [t("warnings.skipped", { count: number(others.length), names })];
}

function advice(files) {
  if (!files.length || files.some((file) => VIDEO.test(file.name) || ARCHIVE.test(file.name))) return [];
  if (files.length === 1) return [t("warnings.onePhoto")];
  return files.length < FEW_PHOTOS ? [t("warnings.fewPhotos", { count: files.length })] : [];
}
