// Sending files so that a locked phone or a restarted server costs nothing: tus 1.0, file by file.

import { t } from "/page/i18n.js";
import { Refused, refusal } from "/page/send.js";
import { Upload, defaultOptions } from "/page/vendor/tus.js";

const AT_ONCE = 3;
const FIRST_WAITS_MS = [0, 1000, 2000, 5000];
const LATER_WAITS_MS = Array(360).fill(10_000); // an hour; every byte that arrives begins the list anew
const GIVES_UP = [400, 401, 403, 404, 412, 413, 415, 421, 422, 507];

/**
 * As `sendForm`; `control` gets `pause()` and `resume()` too. What a closed tab had sent is not sent again
 * when the same files are chosen once more.
 */
export async function sendResumable({ files, mode, name }, onProgress, control) {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const sent = files.map(() => 0);
  const tell = (index) => (bytes) => {
    sent[index] = bytes;
    onProgress(sent.reduce((sum, part) => sum + part, 0), total);
  };
  // With this the server makes the capture by itself where this tab dies after its last byte.
  const together = { group: newGroup(), count: String(files.length), mode: mode ?? "", name: name ?? "" };
  const uploads = files.map((file, index) => createUpload(file, together, tell(index), control));
  const left = [...uploads];
  const isStopped = steer(uploads, control);
  const work = async () => {
    while (left.length && !isStopped()) await left.shift().run();
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } catch (error) {
    control.pause(); // what is under way would go on behind a page that says it has failed
    throw error;
  }
  if (isStopped()) return null;
  const receipt = await commit({ ids: uploads.map((upload) => upload.id()), mode, name });
  await Promise.all(uploads.map((upload) => upload.forget()));
  return receipt;
}

function steer(uploads, control) {
  let isStopped = false;
  control.pause = () => uploads.forEach((upload) => upload.pause());
  control.resume = () => uploads.forEach((upload) => upload.resume());
  control.stop = () => {
    isStopped = true;
    uploads.forEach((upload) => upload.stop());
  };
  return () => isStopped;
}

function newGroup() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function createUpload(file, together, onBytes, control) {
  let isRunning = false;
  let isPaused = false;
  let settle = null;
  const upload = new Upload(file, {
    endpoint: `${location.origin}/api/uploads`,
    metadata: { filename: file.name, ...together },
    retryDelays: [...FIRST_WAITS_MS, ...LATER_WAITS_MS],
    removeFingerprintOnSuccess: false,
    onShouldRetry(error) {
      const status = error.originalResponse?.getStatus() ?? 0;
      control.broken?.();
      return !GIVES_UP.includes(status);
    },
    onProgress: onBytes,
    onSuccess: () => {
      onBytes(file.size);
      settle.resolve();
    },
    onError: (error) => settle.reject(new Refused(reasonOf(error))),
  });

  return {
    id: () => upload.url.split("/").at(-1),
    async run() {
      const [earlier] = await upload.findPreviousUploads();
      if (earlier) upload.resumeFromPreviousUpload(earlier);
      isRunning = true;
      const done = new Promise((resolve, reject) => (settle = { resolve, reject }));
      if (!isPaused) upload.start();
      await done.finally(() => (isRunning = false));
    },
    pause() {
      isPaused = true;
      if (isRunning) upload.abort();
    },
    resume() {
      isPaused = false;
      if (isRunning) upload.start();
    },
    async stop() {
      if (!isRunning && !upload.url) return;
      await upload.abort(true);
      await this.forget();
      settle?.resolve();
    },
    async forget() {
      const earlier = await upload.findPreviousUploads();
      await Promise.all(earlier.map((entry) => defaultOptions.urlStorage.removeUpload(entry.urlStorageKey)));
    },
  };
}

function reasonOf(error) {
  const answer = error.originalResponse;
  return answer ? refusal(answer.getStatus(), answer.getBody()) : t("sending.broken");
}

async function commit(wanted) {
  const body = JSON.stringify(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)));
  const answer = await fetch("/api/uploads/commit", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  if (!answer.ok) throw new Refused(refusal(answer.status, await answer.text()));
  return answer.json();
}
