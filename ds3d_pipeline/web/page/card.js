// One capture: what it is doing, and what can be done with it.

import { text, write } from "/page/dom.js";
import { duration, percent, size, t, translate } from "/page/i18n.js";

export const ENDED = ["finished", "failed", "cancelled"];
const BEFORE_START = ["accepted", "queued", "waiting"];
const REASONS_SHOWN = 1;

/** An empty card of a job; `actions` are called with the job's id. */
export function createCard(job, actions) {
  const node = document.getElementById("job-card").content.firstElementChild.cloneNode(true);
  const part = (selector) => node.querySelector(selector);
  const ask = (isAsking) => {
    for (const [name, isHidden] of [["delete", isAsking], ["really", !isAsking], ["keep", !isAsking]]) {
      part(`.${name}`).hidden = isHidden;
    }
    part(isAsking ? ".keep" : ".delete").focus();
  };
  translate(node);
  node.id = `job-${job.job_id}`;
  part(".cancel").addEventListener("click", () => actions.cancel(job.job_id));
  part(".again").addEventListener("click", (event) => actions.again(job.job_id, event.target.dataset.mode));
  part(".delete").addEventListener("click", () => ask(true));
  part(".keep").addEventListener("click", () => ask(false));
  part(".really").addEventListener("click", () => actions.remove(job.job_id));
  part(".open").addEventListener("click", () => actions.toggle(job.job_id));
  return node;
}

/** Writes a status into its card. All text is text: names come from users. */
export function updateCard(node, job) {
  const part = (selector) => node.querySelector(selector);
  const hasEnded = ENDED.includes(job.state);
  const stages = hasEnded || BEFORE_START.includes(job.state) ? [] : job.stages;
  const word = job.status ?? job.state;
  node.dataset.word = word;
  part("h3").textContent = job.name || job.job_id;
  part("h3").title = job.job_id;
  write(part(".badge"), t(`badges.${word}`));
  part(".badge").className = `badge ${word}`;
  write(part(".mode-name"), job.mode ? t("jobs.mode", { mode: t(`modes.${job.mode}`) }) : "");
  write(part(".line"), lineOf(job));
  write(part(".message"), messageOf(job));
  showWhole(part(".whole"), job, hasEnded);
  part(".stages").replaceChildren(...stages.map(chip));
  part(".stages").setAttribute("aria-label", t("jobs.stages"));
  part(".fallbacks").replaceChildren(...stages.flatMap(fallbacks));
  showReasons(part(".reasons"), job.reasons);
  showActions(part, job, hasEnded);
}

function lineOf(job) {
  if (job.state === "queued" && job.queue) return t("jobs.queued", job.queue);
  if (job.state === "queued") return t("jobs.queuedPlain");
  if (job.state === "finished") return t(job.status === "ok" ? "jobs.finishedOk" : job.status === "failed" ? "jobs.finishedFailed" : "jobs.finishedDegraded");
  if (job.state !== "running") return t(`jobs.${job.state}`);
  if (job.stage) return t("jobs.running", { stage: t(`stages.${job.stage}`) });
  return job.next ? t("jobs.next", { stage: t(`stages.${job.next}`) }) : t("jobs.starting");
}

function messageOf(job) {
  if (job.state !== "running" || !job.stage) return "";
  const next = job.next && job.next !== job.stage ? t("jobs.next", { stage: t(`stages.${job.next}`) }) : "";
  return [job.message, next].filter(Boolean).join(" · ");
}

function showWhole(node, job, hasEnded) {
  const bar = node.querySelector("progress");
  node.hidden = hasEnded || BEFORE_START.includes(job.state);
  bar.value = job.progress;
  bar.setAttribute("aria-label", t("jobs.progress", { name: job.name || job.job_id }));
  const left = job.remaining_s === null ? "" : t("jobs.left", { time: duration(job.remaining_s) });
  node.querySelector(".left").textContent = [percent(job.progress), left].filter(Boolean).join(", ");
}

function chip(stage) {
  const node = document.createElement("li");
  const name = t(`stages.${stage.stage}`);
  const detail = stage.state === "running" ? percent(stage.fraction) : stage.state === "reused" ? t("stageStates.reused") : "";
  node.className = stage.state;
  node.append(text("span", "", name));
  if (stage.backend && stage.backend !== "local") node.append(text("small", "backend", stage.backend));
  if (detail) node.append(text("small", "", detail));
  node.append(text("span", "unseen", ` ${t(`stageStates.${stage.state}`)}`));
  return node;
}

function fallbacks(stage) {
  return (stage.fallbacks ?? []).map((tried) =>
    text("li", "", t("jobs.fallback", { stage: t(`stages.${stage.stage}`), backend: tried.backend, reason: tried.reason })),
  );
}

/** The first reason, and the others behind one line. */
function showReasons(node, reasons) {
  const key = reasons.join("\n");
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  node.replaceChildren(...reasons.slice(0, REASONS_SHOWN).map((reason) => text("li", "", reason)));
  const rest = reasons.slice(REASONS_SHOWN);
  if (!rest.length) return;
  const more = document.createElement("details");
  const list = document.createElement("ul");
  list.append(...rest.map((reason) => text("li", "", reason)));
  more.append(text("summary", "", t(rest.length === 1 ? "jobs.moreOne" : "jobs.more", { count: rest.length })), list);
  const item = document.createElement("li");
  item.className = "rest";
  item.append(more);
  node.append(item);
}

function showActions(part, job, hasEnded) {
  const again = part(".again");
  const hasFiles = job.state === "finished" && job.status !== "failed";
  const isGood = hasFiles && job.mode !== "quality";
  part(".cancel").hidden = hasEnded || job.state === "cancelling";
  part(".open").hidden = !hasEnded;
  part(".open").textContent = t(part(".open").getAttribute("aria-expanded") === "true" ? "jobs.close" : "jobs.open");
  again.hidden = !hasEnded || (hasFiles && !isGood);
  again.dataset.mode = isGood ? "quality" : "";
  again.textContent = isGood ? t("jobs.againIn", { mode: t("modes.quality") }) : t("jobs.again");
  if (!hasEnded || part(".really").hidden) part(".delete").hidden = !hasEnded;
  if (!part(".delete").textContent) part(".delete").textContent = t("jobs.delete");
}

/** How much deleting would free, once it is known. */
export function showFreed(node, bytes) {
  node.querySelector(".delete").textContent = t("jobs.deleteFrees", { size: size(bytes) });
}

export function showProblem(node, sentence) {
  const line = node.querySelector(".problem");
  line.hidden = !sentence;
  write(line, sentence);
}
