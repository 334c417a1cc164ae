// What view.html does with view.js: it stands below it, in one script without imports.

import { button } from "/page/parts.js";
import { createView, say } from "/page/view.js";

const wordsOf = JSON.parse(document.getElementById("words").textContent);
const language = navigator.languages.map((name) => name.slice(0, 2)).find((name) => name in wordsOf) ?? "en";
const words = wordsOf[language];

document.documentElement.lang = language;
startPage().catch((error) => say(document.getElementById("view"), `${words.failed} ${error.message}`));

async function startPage() {
  const box = document.getElementById("view");
  say(box, words.loading);
  const three = await inflated(carriedBytes(document.getElementById("three")));
  const T = await import(URL.createObjectURL(new Blob([three], { type: "text/javascript" })));
  const files = new Map([...document.querySelectorAll(".carried")].map((node) => [node.dataset.kind, node]));
  const sources = {
    mesh: { kind: "mesh", load: async () => inflated(carriedBytes(files.get("mesh"))) },
    splat: { kind: "splat", load: async () => carriedBytes(files.get("splat")).buffer },
  };
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const view = createView(T, box, scene, sources, words);
  const tabs = [...files.keys()].map((kind) => addTab(kind, () => open(kind)));

  function open(kind) {
    tabs.forEach((tab) => tab.setAttribute("aria-pressed", tab.dataset.kind === kind));
    view.show(kind);
  }
  open([...files.keys()].at(-1));
}

function addTab(kind, action) {
  const tab = button(words[kind], action);
  tab.dataset.kind = kind;
  document.getElementById("tabs").append(tab);
  return tab;
}

function carriedBytes(node) {
  return Uint8Array.from(atob(node.textContent), (letter) => letter.charCodeAt(0));
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
