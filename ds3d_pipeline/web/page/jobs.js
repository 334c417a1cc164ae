// The lower half of the page: a card for every capture of this home, kept up to date.

import { ENDED, createCard, showFreed, showProblem, updateCard } from "/page/card.js";
import { follow } from "/page/follow.js";
import { showGrowth } from "/page/growth.js";
import { t } from "/page/i18n.js";
import { hideResult, showResult } from "/page/result.js";
import { refusal } from "/page/send.js";

const LISTED = 20;
const AGAIN_MS = 15_000;
const byId = (id) => document.getElementById(id);

/** Shows what there is, and goes on following it. `banner(sentence)` says what concerns the whole page. */
export async function startJobs(banner) {
  const cards = new Map();
  const broken = new Set();
  let older = null;

  const connection = (id) => (isThere) => {
    if (isThere) broken.delete(id);
    else broken.add(id);
    banner(broken.size ? t("connection.lost") : "");
  };

  function show(job, isNew = false) {
    let card = cards.get(job.job_id);
    if (!card) {
      card = { node: createCard(job, actions), stop: null };
      cards.set(job.job_id, card);
      place(card.node, job);
    } else if (isNew) byId("jobs").prepend(card.node);
    card.job = job;
    updateCard(card.node, job);
    byId("none").hidden = cards.size > 0;
    if (job.state === "running") showGrowth(card.node, job);
    if (!ENDED.includes(job.state) && !card.stop) watch(job.job_id, card);
  }

  function watch(id, card) {
    hide(card);
    card.stop = follow(id, (message) => receive(id, card, message), connection(id));
  }

  function receive(id, card, message) {
    if (message.job) show(message.job);
    else if (message.type === "error") showProblem(card.node, `${message.cause} ${message.remedy}`);
    if (message.type !== "complete" && message.type !== "error") return;
    card.stop = null;
    hide(card);
    if (message.type === "complete") open(card, message.result);
  }

  async function refresh() {
    const listing = await read(`/api/jobs?limit=${LISTED}`);
    if (!listing) return;
    for (const job of listing.jobs.reverse()) if (!cards.get(job.job_id)?.stop) show(job);
    if (older === null) setOlder(listing.next);
  }

  function setOlder(next) {
    older = next ?? "";
    byId("older").hidden = !next;
  }

  async function read(path) {
    const answer = await fetch(path).catch(() => null);
    connection("list")(answer !== null);
    return answer?.ok ? answer.json() : null;
  }

  async function act(id, path, options) {
    const card = cards.get(id);
    showProblem(card.node, "");
    const answer = await fetch(path, options).catch(() => null);
    if (answer?.ok) return answer;
    showProblem(card.node, answer ? refusal(answer.status, await answer.text()) : t("connection.lost"));
    return null;
  }

  const actions = {
    async cancel(id) {
      await act(id, `/api/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" });
    },
    async again(id, mode) {
      const body = JSON.stringify(mode ? { mode } : {});
      const headers = { "content-type": "application/json" };
      const answer = await act(id, `/api/jobs/${encodeURIComponent(id)}/again`, { method: "POST", headers, body });
      if (answer) show(await answer.json(), true);
    },
    async remove(id) {
      if (!(await act(id, `/api/jobs/${encodeURIComponent(id)}`, { method: "DELETE" }))) return;
      const card = cards.get(id);
      hide(card);
      card.node.remove();
      cards.delete(id);
      byId("none").hidden = cards.size > 0;
      byId("jobs-heading").focus();
    },
    async toggle(id) {
      const card = cards.get(id);
      if (!card.node.querySelector(".result").hidden) return hide(card);
      const answer = await act(id, `/api/result/${encodeURIComponent(id)}`);
      if (answer) open(card, await answer.json());
    },
  };

  function open(card, result) {
    expand(card, true);
    showFreed(card.node, result.stored_bytes);
    showResult(card.node, result);
  }

  function hide(card) {
    hideResult(card.node);
    expand(card, false);
  }

  function expand(card, isOpen) {
    const button = card.node.querySelector(".open");
    button.setAttribute("aria-expanded", isOpen);
    button.textContent = t(isOpen ? "jobs.close" : "jobs.open");
  }

  byId("older").addEventListener("click", async () => {
    const listing = await read(`/api/jobs?limit=${LISTED}&before=${encodeURIComponent(older)}`);
    if (!listing) return;
    listing.jobs.forEach((job) => show(job));
    setOlder(listing.next);
  });
  setInterval(() => document.visibilityState === "visible" && refresh(), AGAIN_MS);
  await refresh();

  return {
    async add(receipt) {
      const status = await read(receipt.status_url);
      if (!status) return;
      show(status, true);
      cards.get(receipt.job_id).node.scrollIntoView({ behavior: "smooth", block: "nearest" });
    },
  };
}

/** The newest above. */
function place(node, job) {
  node.dataset.at = job.created_at;
  const after = [...byId("jobs").children].find((other) => Number(other.dataset.at) <= job.created_at);
  byId("jobs").insertBefore(node, after ?? null);
}
