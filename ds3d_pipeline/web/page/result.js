// What came out of a capture: mesh, splat and report to look at, and the files to take.

import { text } from "/page/dom.js";
import { section, size, t } from "/page/i18n.js";

const FIRST = ["model.glb", "model.splat.ply", "model.spz", "model.splat.glb", "pointcloud.ply", "view.html", "report.html"];

/** The one view that is open on the page: a second would be a second WebGL context. */
let opened = null;

/** Fills the lower part of a card, and opens what is best to look at. */
export function showResult(node, result) {
  const box = node.querySelector(".result");
  const view = createViewer(node, result);
  const tabs = offers(result).map(([kind, open]) => {
    const tab = Object.assign(text("button", "", t(`result.${kind}`)), { type: "button" });
    tab.dataset.kind = kind;
    tab.addEventListener("click", () => {
      for (const other of tabs) other.setAttribute("aria-pressed", other === tab);
      open(view);
    });
    return tab;
  });
  box.hidden = false;
  box.querySelector(".tabs").setAttribute("aria-label", t("result.tabs"));
  box.querySelector(".tabs").replaceChildren(...tabs);
  box.querySelector(".files").replaceChildren(...downloads(result));
  tabs[0]?.click();
}

/** Frees what a card's view holds. */
export function hideResult(node) {
  if (opened?.node === node) closeView();
  node.querySelector(".result").hidden = true;
  node.querySelector(".report").removeAttribute("src");
}

function closeView() {
  opened?.view.close();
  opened = null;
}

function offers(result) {
  const found = [];
  if (result.preview.mesh) found.push(["mesh", (view) => view.show("mesh")]);
  if (result.preview.splat) found.push(["splat", (view) => view.show("splat")]);
  if (result.report_url) found.push(["report", (view) => view.report(result.report_url)]);
  return found;
}

function createViewer(node, result) {
  const box = node.querySelector(".view");
  const frame = node.querySelector(".report");
  const urls = { mesh: result.preview.mesh, splat: result.preview.splat };
  const sources = Object.fromEntries(Object.entries(urls).map(([kind, url]) => [kind, () => load(url)]));

  async function show(kind) {
    if (opened?.node !== node) {
      closeView();
      opened = { node, view: { close() {} } };
      const mine = opened;
      const [T, { createView }, scene] = await Promise.all([
        import("/page/vendor/three.js"),
        import("/page/view.js"),
        load(`/api/preview/${encodeURIComponent(result.job_id)}.json`).then((data) => JSON.parse(new TextDecoder().decode(data))),
      ]);
      if (opened !== mine) return;
      opened.view = createView(T, box, scene, sources, section("view"));
    }
    opened.view.show(kind);
  }

  return {
    show(kind) {
      box.hidden = false;
      frame.hidden = true;
      show(kind).catch((error) => box.replaceChildren(text("p", "view-note", `${t("view.failed")} ${error.message}`)));
    },
    report(url) {
      if (opened?.node === node) closeView();
      box.hidden = true;
      frame.hidden = false;
      frame.title = t("result.report");
      frame.src = url;
    },
  };
}

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(t("sending.answer", { status: answer.status }));
  return answer.arrayBuffer();
}

function downloads(result) {
  const names = Object.keys(result.files).filter((name) => !name.includes("/"));
  names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const links = names.map((name) => link(name, result.files[name].url, size(result.files[name].bytes)));
  if (result.metrics_url) links.push(link("metrics.json", result.metrics_url, ""));
  if (result.zip_url) links.push(link(t("result.all"), result.zip_url, size(totalBytes(result.files)), "all"));
  if (result.report_url) links.push(inNewTab(t("result.openReport"), result.report_url));
  return links;
}

function rank(name) {
  const place = FIRST.indexOf(name);
  return place < 0 ? FIRST.length : place;
}

function totalBytes(files) {
  return Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
}

function link(label, url, detail, className = "") {
  const item = document.createElement("li");
  const anchor = Object.assign(text("a", className, label), { href: url, download: "" });
  if (detail) anchor.append(text("small", "", detail));
  item.append(anchor);
  return item;
}

function inNewTab(label, url) {
  const item = document.createElement("li");
  item.append(Object.assign(text("a", "", label), { href: url, target: "_blank", rel: "noopener" }));
  return item;
}
