// Guided capture: the browser's camera, photos that keep themselves, and what to do better, as one films.

import { write } from "/page/dom.js";
import { hasCamera, hasCameraAccess, openCamera } from "/page/guide_camera.js";
import { createJudge, overlapOf } from "/page/guide_score.js";
import { addPhoto, forgetPhotos, keptPhotos } from "/page/guide_store.js";
import { number, t } from "/page/i18n.js";

const LOOK_MS = 125;
const SAID_AFTER = 3; // looks: a word that comes and goes would only make the sentence flicker
const REFUSALS = ["NotAllowedError", "NotFoundError", "NotReadableError"];

const byId = (id) => document.getElementById(id);

/**
 * Offers it where this browser gives the page a camera, and says what is missing where it does not.
 * `choose(files, {hints, onTaken})` takes the photos; `onTaken` is to be called when the server has them.
 */
export async function startGuide(choose) {
  if (!hasCameraAccess()) return need(t("guide.needs"));
  const dialog = byId("guide-view");
  const session = createSession(dialog);
  const use = async () => {
    const photos = await keptPhotos();
    choose(photos.map(fileOf), { hints: hintsOf(photos), onTaken: forgetPhotos });
    byId("guide-kept").hidden = true;
  };
  const ask = (isAsking) => {
    byId("guide-forget").classList.toggle("danger", isAsking);
    write(byId("guide-forget"), t(isAsking ? "guide.reallyForget" : "guide.forget"));
  };
  const offer = async () => {
    ask(false);
    const { length } = await keptPhotos();
    byId("guide-kept").hidden = length === 0;
    write(byId("guide-kept-text"), t(length === 1 ? "guide.keptOne" : "guide.kept", { count: number(length) }));
  };

  byId("guide").addEventListener("click", session.open);
  byId("guide-on").addEventListener("click", session.open);
  byId("guide-use").addEventListener("click", use);
  byId("guide-forget").addEventListener("click", async ({ target }) => {
    if (!target.classList.contains("danger")) return ask(true);
    await forgetPhotos();
    await offer();
  });
  byId("guide-take").addEventListener("click", session.take);
  byId("guide-close").addEventListener("click", () => dialog.close());
  byId("guide-done").addEventListener("click", () => dialog.close("done"));
  dialog.addEventListener("close", async () => {
    await session.end();
    await (dialog.returnValue === "done" ? use() : offer());
  });
  try {
    await offer();
  } catch (error) {
    return need(t("guide.noStore", { reason: error.message }));
  }
  byId("guide").hidden = !(await hasCamera());
}

function need(sentence) {
  byId("guide-needs").hidden = false;
  write(byId("guide-needs"), sentence);
}

/** The time within which the dialog is open. */
function createSession(dialog) {
  const say = createSaying();
  let camera = null;
  let isOpening = false;
  let timer = 0;
  let judge = null;
  let last = null;
  let latest = null;
  let counts = { kept: 0, blurred: 0 };
  let storing = Promise.resolve();

  const showCounts = () => {
    const { kept, blurred } = counts;
    write(byId("guide-counts"), t("guide.counts", { kept: number(kept), blurred: number(blurred) }));
    byId("guide-done").disabled = counts.kept === 0;
  };

  function keep({ cells, isBlurred }) {
    last = cells;
    const at = Date.now();
    const photo = camera.photo();
    const store = async () => {
      await addPhoto({ blob: await photo, cells, isBlurred, at });
      counts.kept += 1;
      showCounts();
    };
    storing = storing.then(store).catch((error) => stop(t("guide.noRoom", { reason: error.message })));
  }

  function look() {
    if (document.hidden || !camera.hasPicture()) return;
    const seen = camera.look();
    const shared = last && overlapOf(last, seen.cells);
    const { word, isBlurred, relative } = judge({ ...seen, shared });
    if (word === "blurred" && latest?.word !== "blurred") counts.blurred += 1;
    latest = { ...seen, word, isBlurred };
    byId("guide-sharp").value = relative;
    byId("guide-overlap").value = shared ?? 0;
    say(word);
    if (word === "keep") keep(latest);
    showCounts();
  }

  function stop(sentence) {
    clearInterval(timer);
    camera?.close();
    camera = null;
    byId("guide-take").disabled = true;
    if (sentence) say.now(sentence, "bad");
  }

  async function start() {
    if (isOpening) return;
    stop();
    say.now(t("guide.opening"), "");
    isOpening = true;
    try {
      camera = await openCamera(byId("guide-video"));
    } catch (error) {
      return say.now(refusal(error), "bad");
    } finally {
      isOpening = false;
    }
    if (!dialog.open) return stop();
    judge = createJudge();
    byId("guide-take").disabled = false;
    timer = setInterval(look, LOOK_MS);
  }

  // A phone that was locked has taken the camera away.
  document.addEventListener("visibilitychange", () => {
    if (dialog.open && !document.hidden && !camera?.isLive()) start();
  });

  return {
    async open() {
      dialog.returnValue = "";
      dialog.showModal();
      const photos = await keptPhotos();
      last = photos.at(-1)?.cells ?? null;
      counts = { kept: photos.length, blurred: 0 };
      showCounts();
      await start();
    },
    /** By hand, whatever the guide thinks of it. */
    take() {
      if (latest) keep(latest);
    },
    async end() {
      stop();
      latest = null;
      await storing;
    },
  };
}

/** Says a word of the judge once it has lasted; at once what is no word of it. */
function createSaying() {
  const node = byId("guide-say");
  let current = "";
  let looks = 0;
  const now = (sentence, className) => {
    write(node, sentence);
    node.className = className;
  };
  const say = (word) => {
    looks = word === current ? looks + 1 : 1;
    current = word;
    if (word === "keep" || looks >= SAID_AFTER) now(t(`guide.${word}`), { keep: "good", blurred: "bad", far: "bad", blank: "bad" }[word] ?? "");
  };
  return Object.assign(say, { now });
}

function refusal(error) {
  return t(REFUSALS.includes(error.name) ? `guide.${error.name}` : "guide.broken", { reason: error.message });
}

function fileOf({ blob, at }, index) {
  return new File([blob], `photo-${String(index + 1).padStart(4, "0")}.jpg`, { type: blob.type, lastModified: at });
}

function hintsOf(photos) {
  const names = photos.map(fileOf).filter((_, index) => photos[index].isBlurred).map((file) => file.name);
  return names.length ? [t("guide.blurredNames", { names: names.join(", ") })] : [];
}
