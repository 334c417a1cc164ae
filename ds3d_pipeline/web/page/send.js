// Sending files in one form, with how far it is and how long it will take.

import { t } from "/page/i18n.js";

const ANSWERS_WITH_JOB = [200, 202];

/** What went wrong, as the server said it. */
export class Refused extends Error {}

/**
 * Sends `files` and resolves to the server's receipt. `onProgress(sent, total)` in bytes.
 * `control.stop()` ends it; then the promise resolves to null. Rejects with Refused.
 */
export function sendForm({ files, mode, name }, onProgress, control) {
  const body = new FormData();
  body.append("mode", mode);
  if (name) body.append("name", name);
  for (const file of files) body.append("files", file, file.name);
  return new Promise((resolve, reject) => {
    // fetch says nothing about how much was sent.
    const request = new XMLHttpRequest();
    request.open("POST", "/api/upload");
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () => {
      if (ANSWERS_WITH_JOB.includes(request.status)) resolve(JSON.parse(request.responseText));
      else reject(new Refused(refusal(request.status, request.responseText)));
    };
    request.onerror = () => reject(new Refused(t("sending.broken")));
    request.onabort = () => resolve(null);
    control.stop = () => request.abort();
    request.send(body);
  });
}

/** One sentence of an answer that says no. */
export function refusal(status, text) {
  try {
    const { cause, remedy } = JSON.parse(text);
    if (cause) return t("connection.refused", { cause, remedy: remedy ?? "" });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return t("sending.answer", { status });
}

/** Seconds that are left, from what was sent within the last `window_ms`. */
export function createEstimate(window_ms = 8000) {
  const seen = [];
  return (sent, total, now = performance.now()) => {
    seen.push([now, sent]);
    while (seen.length > 2 && now - seen[0][0] > window_ms) seen.shift();
    const [[from, before]] = seen;
    const rate = (sent - before) / (now - from);
    return rate > 0 ? (total - sent) / rate / 1000 : null;
  };
}
