// What came out of a capture: mesh, splat and report to look at, and the files to take.

import { text } from "/page/dom.js";
import { section, size, t } from "/page/i18n.js";

const FIRST = ["model.glb", "model.splat.ply", "model.spz", "model.splat.glb", "pointcloud.ply", "view.html", "report.html"];

/** The one view that is open on the page: a second would be a second WebGL context. */
let opened = null;

/** Fills the lower part of a card, and opens what is best to look at. */
export function showResult(node, result) {
  const { mesh, splat } = result.preview;
  const sources = { mesh: { kind: "mesh", load: () => load(mesh) }, splat: { kind: "splat", load: () => load(splat) } };
  const viewer = createViewer(node, `/api/preview/${encodeURIComponent(result.job_id)}.json`, sources);
  const offers = [
    mesh && ["mesh", () => viewer.show("mesh")],
    splat && ["splat", () => viewer.show("splat")],
    result.report_url && ["report", () => viewer.report(result.report_url)],
  ].filter(Boolean);
  const tabs = node.querySelector(".tabs");
  tabs.replaceChildren();
  for (const [name, open] of offers) addTab(tabs, name, t(`result.${name}`), open);
  tabs.setAttribute("aria-label", t("result.tabs"));
  for (const part of [".result", ".taken"]) node.querySelector(part).hidden = false;
  node.querySelector(".files").replaceChildren(...downloads(result));
  const first = result.status === "failed" && tabs.querySelector('[data-kind="report"]');
  (first || tabs.firstElementChild)?.click();
}

/** One more thing to look at. */
export function addTab(tabs, name, label, open) {
  const tab = Object.assign(text("button", "", label), { type: "button" });
  tab.dataset.kind = name;
  tab.addEventListener("click", () => {
    for (const other of tabs.children) other.setAttribute("aria-pressed", other === tab);
    open();
  });
  tabs.append(tab);
}

/** Frees what a card's view holds. */
export function hideResult(node) {
  if (opened?.node === node) closeView();
  node.querySelector(".result").hidden = true;
  for (const part of [".taken", ".so-far"]) node.querySelector(part).hidden = true;
  node.querySelector(".tabs").replaceChildren();
  node.querySelector(".report").removeAttribute("src");
  for (const part of [".view", ".report", ".picture"]) node.querySelector(part).hidden = true;
}

function closeView() {
  opened?.view?.close();
  opened = null;
}

/** The three ways to show something in a card: in 3D, as a page and as a picture; one at a time. */
export function createViewer(node, sceneUrl, sources) {
  const parts = { view: node.querySelector(".view"), report: node.querySelector(".report"), picture: node.querySelector(".picture") };
  const only = (shown) => {
    for (const [name, part] of Object.entries(parts)) part.hidden = name !== shown;
    if (shown !== "view" && opened?.node === node) closeView();
  };

  async function show(name) {
    if (opened?.node === node) {
      opened.wanted = name;
      return opened.view?.show(name);
    }
    closeView();
    const mine = { node, view: null, wanted: name };
    opened = mine;
    try {
      const [T, { createView }, scene] = await Promise.all([
        import("/page/vendor/three.js"),
        import("/page/view.js"),
        load(sceneUrl).then((data) => JSON.parse(new TextDecoder().decode(data))),
      ]);
      if (opened !== mine) return;
      mine.view = createView(T, parts.view, scene, sources, section("view"));
    } catch (error) {
      if (opened === mine) opened = null;
      throw error;
    }
    mine.view.show(mine.wanted); // another tab may have been pressed while this one was loading
  }

  return {
    show(name) {
      only("view");
      show(name).catch((error) => parts.view.replaceChildren(text("p", "view-note", `${t("view.failed")} ${error.message}`)));
    },
    report(url) {
      only("report");
      parts.report.title = t("result.report");
      parts.report.src = url;
    },
    picture(url, label) {
      only("picture");
      parts.picture.alt = label;
      parts.picture.src = url;
    },
  };
}

export async function load(url) {
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
