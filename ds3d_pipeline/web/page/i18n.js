// The sentences of the page in the reader's language, and how numbers are written in it.

let words = {};
let language = "en";

/** Loads the first of the browser's languages that there is a file for. */
export async function loadWords() {
  const wanted = [...navigator.languages.map((name) => name.slice(0, 2).toLowerCase()), "en"];
  for (const name of new Set(wanted)) {
    const answer = await fetch(`/page/i18n/${name}.json`);
    if (!answer.ok) continue;
    words = await answer.json();
    language = name;
    break;
  }
  document.documentElement.lang = language;
}

/** The sentence of a key such as "jobs.queued", with {values} put in. */
export function t(key, values = {}) {
  const sentence = key.split(".").reduce((table, part) => table?.[part], words);
  if (typeof sentence !== "string") return key.split(".").at(-1);
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A part of the table, such as the words of the view. */
export function section(key) {
  return words[key];
}

/** Puts the sentences into what is marked with data-i18n below a node. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of root.querySelectorAll("[data-i18n-placeholder]")) node.placeholder = t(node.dataset.i18nPlaceholder);
  for (const node of root.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", t(node.dataset.i18nLabel));
}

export function size(bytes) {
  const [unit, by] = bytes >= 1e9 ? ["gigabyte", 1e9] : bytes >= 1e6 ? ["megabyte", 1e6] : ["kilobyte", 1e3];
  const value = bytes / by;
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: digits }).format(value);
}

export function number(value) {
  return new Intl.NumberFormat(language).format(value);
}

export function percent(fraction) {
  return new Intl.NumberFormat(language, { style: "percent" }).format(fraction);
}

/** As rough as it is known: 40 s, 4 min, 1 h 20 min. */
export function duration(seconds) {
  if (seconds < 55) return `${Math.max(5, 5 * Math.round(seconds / 5))} ${t("units.s")}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} ${t("units.min")}`;
  const rest = 5 * Math.round((minutes % 60) / 5);
  const hours = Math.floor(minutes / 60) + (rest === 60 ? 1 : 0);
  return rest % 60 ? `${hours} ${t("units.h")} ${rest} ${t("units.min")}` : `${hours} ${t("units.h")}`;
}
