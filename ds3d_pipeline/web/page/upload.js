// The upper half of the page: choosing, warnings, modes, sending.

import { dropped, judge } from "/page/choose.js";
import { text } from "/page/dom.js";
import { duration, size, t } from "/page/i18n.js";
import { createEstimate, sendForm } from "/page/send.js";

const byId = (id) => document.getElementById(id);

/** Wires the form up; `onReceipt(receipt)` is called with every capture that the server has taken. */
export function startUpload(info, onReceipt) {
  let chosen = judge([], info);
  let name = "";

  const choose = (files, folder = "") => {
    chosen = judge([...files], info);
    name = folder;
    show(chosen);
  };
  const send = async () => {
    const sending = startSending();
    const wanted = { files: chosen.files, mode: modeChosen(), name: byId("name").value.trim() || name };
    try {
      const receipt = await sendForm(wanted, sending.progress, sending.control);
      if (receipt) {
        reset(choose);
        onReceipt(receipt);
      }
    } catch (error) {
      say([error.message], []);
    }
    sending.end();
  };

  makeModes(info.modes);
  takeDrops(choose);
  byId("pick").addEventListener("change", (event) => choose(event.target.files));
  byId("camera").addEventListener("change", (event) => choose(event.target.files));
  byId("film").addEventListener("click", () => byId("camera").click());
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  show(chosen);
}

function reset(choose) {
  byId("pick").value = "";
  byId("camera").value = "";
  byId("name").value = "";
  choose([]);
}

function show(chosen) {
  byId("summary").textContent = chosen.summary;
  byId("send").disabled = !chosen.files.length || chosen.problems.length > 0;
  say(chosen.problems, chosen.hints);
}

function say(problems, hints) {
  const line = (className) => (sentence) => text("li", className, sentence);
  byId("warnings").replaceChildren(...problems.map(line("problem")), ...hints.map(line("hint")));
}

function modeChosen() {
  return new FormData(byId("form")).get("mode");
}

function makeModes(modes) {
  const cards = modes.map((mode) => {
    const card = byId("mode-card").content.firstElementChild.cloneNode(true);
    const input = card.querySelector("input");
    input.value = mode.name;
    input.checked = mode.name === "balanced";
    card.querySelector("strong").textContent = t(`modes.${mode.name}`);
    card.querySelector(".about").textContent = t(`modes.about${mode.name[0].toUpperCase()}${mode.name.slice(1)}`);
    card.querySelector(".time").textContent = mode.seconds
      ? t("modes.time", { time: duration(mode.seconds) })
      : t("modes.unknown");
    return card;
  });
  byId("modes").append(...cards);
}

/** The whole window takes files. */
function takeDrops(choose) {
  const label = byId("drop").querySelector("strong");
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, change === 0 ? 0 : depth + change);
    document.body.classList.toggle("over", depth > 0);
    label.textContent = t(depth > 0 ? "choose.over" : "choose.drop");
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => hasFiles(event) && mark(1));
  window.addEventListener("dragleave", (event) => hasFiles(event) && mark(-1));
  window.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  window.addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(0);
    const { files, name } = await dropped(event.dataTransfer);
    choose(files, name);
  });
}

function startSending() {
  const estimate = createEstimate();
  const control = {};
  const stay = (event) => event.preventDefault();
  byId("sending").hidden = false;
  byId("form").inert = true;
  byId("pause").hidden = true;
  byId("stop").onclick = () => control.stop();
  window.addEventListener("beforeunload", stay);
  say([], []);

  return {
    control,
    progress(sent, total) {
      byId("sent").value = sent / total;
      byId("sent-text").textContent = sent < total ? describe(sent, total, estimate(sent, total)) : t("sending.checking");
    },
    end() {
      window.removeEventListener("beforeunload", stay);
      byId("sending").hidden = true;
      byId("form").inert = false;
      byId("sent").value = 0;
      byId("sent-text").textContent = "";
    },
  };
}

function describe(sent, total, left) {
  const done = t("sending.progress", { sent: size(sent), total: size(total) });
  return left === null ? done : `${done}, ${t("sending.left", { time: duration(left) })}`;
}
