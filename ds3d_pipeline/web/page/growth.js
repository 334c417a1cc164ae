// Watching a capture grow: what a stage has finished can be looked at while the rest goes on.

import { t } from "/page/i18n.js";
import { addTab, createViewer, load } from "/page/result.js";

const PICTURES = ["keyframes", "depth_maps", "splat"];
const SHOWN = ["keyframes", "poses", "depth_maps", "pointcloud", "mesh", "splat"];
const TRAINING_MS = 10_000;
const viewers = new WeakMap();

/** Adds a tab for every stage that has something to show by now. Nothing opens by itself. */
export function showGrowth(node, job) {
  const there = job.stages.filter((stage) => SHOWN.includes(stage.stage) && hasView(stage)).map((stage) => stage.stage);
  const tabs = node.querySelector(".tabs");
  tabs.setAttribute("aria-label", t("result.soFar"));
  for (const part of [".result", ".so-far"]) node.querySelector(part).hidden = there.length === 0;
  for (const stage of there) {
    if (tabs.querySelector(`[data-kind="${stage}"]`)) continue;
    addTab(tabs, stage, t(`growth.${stage}`), () => open(node, job.job_id, stage));
  }
  refreshTraining(node, job.job_id);
}

function hasView({ stage, state, fraction }) {
  return stage === "splat" ? state === "running" && fraction > 0 : state === "done" || state === "reused";
}

function urlOf(job, stage) {
  return `/api/growth/${encodeURIComponent(job)}/${stage}`;
}

function open(node, job, stage) {
  if (!viewers.has(node)) viewers.set(node, createViewer(node, `/api/growth/${encodeURIComponent(job)}.json`, sourcesOf(job)));
  const viewer = viewers.get(node);
  if (!PICTURES.includes(stage)) return viewer.show(stage);
  node.dataset.trainedAt = performance.now();
  viewer.picture(`${urlOf(job, stage)}?at=${Date.now()}`, t(`growth.${stage}`));
}

function sourcesOf(job) {
  const source = (stage, kind, cameras = false) => ({ kind, cameras, load: () => load(urlOf(job, stage)) });
  return {
    poses: source("poses", "splat", true),
    pointcloud: source("pointcloud", "splat"),
    mesh: source("mesh", "mesh"),
  };
}

/** The picture of the training is another one every few seconds. */
function refreshTraining(node, job) {
  const isOpen = node.querySelector('.tabs [data-kind="splat"]')?.getAttribute("aria-pressed") === "true";
  if (isOpen && performance.now() - Number(node.dataset.trainedAt) > TRAINING_MS) open(node, job, "splat");
}
