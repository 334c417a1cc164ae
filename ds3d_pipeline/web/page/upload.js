// The upper half of the page: choosing, warnings, modes, sending.

import { dropped, judge } from "/page/choose.js";
import { text, write } from "/page/dom.js";
import { startGuide } from "/page/guide.js";
import { duration, size, t } from "/page/i18n.js";
import { sendResumable } from "/page/resumable.js";
import { createEstimate, sendForm } from "/page/send.js";
import { createThumbnails } from "/page/thumbnails.js";

const ONE_FORM_BYTES = 16e6; // less than this is sent again sooner than it is resumed

const byId = (id) => document.getElementById(id);

/** Wires the form up; `onReceipt(receipt)` is called with every capture that the server has taken. */
export async function startUpload(info, onReceipt) {
  let chosen = judge([], info);
  let name = "";
  let taken = async () => {};
  const showThumbnails = createThumbnails(byId("thumbnails"));

  const choose = (files, { folder = "", hints = [], onTaken = async () => {} } = {}) => {
    chosen = judge([...files], info);
    chosen.hints.push(...hints);
    name = folder;
    taken = onTaken;
    show(chosen);
    showThumbnails(chosen.files);
  };
  const send = async () => {
    const sendFiles = chosen.bytes < ONE_FORM_BYTES ? sendForm : sendResumable;
    const sending = startSending(sendFiles === sendResumable);
    const wanted = { files: chosen.files, mode: modeChosen(), name: byId("name").value.trim() || name };
    try {
      const receipt = await sendFiles(wanted, sending.progress, sending.control);
      if (receipt) {
        await taken();
        reset(choose);
        say([], receipt.new ? receipt.skipped : [t("sending.known"), ...receipt.skipped]);
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
  await startGuide(choose);
}

function reset(choose) {
  byId("pick").value = "";
  byId("camera").value = "";
  byId("name").value = "";
  choose([]);
}

function show(chosen) {
  write(byId("summary"), chosen.summary);
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
    choose(files, { folder: name });
  });
}

/** Shows how far it is. What can be resumed can be paused. */
function startSending(canPause) {
  const estimate = createEstimate();
  const stay = (event) => event.preventDefault();
  let now = { sent: 0, total: 0 };
  const control = {
    stop() {},
    broken: () => write(byId("sent-text"), t("sending.retrying")),
  };
  byId("sending").hidden = false;
  byId("form").inert = true;
  byId("pause").hidden = !canPause;
  wirePause(control, () => now);
  byId("stop").onclick = () => control.stop();
  window.addEventListener("beforeunload", stay);
  say([], []);

  return {
    control,
    progress(sent, total) {
      now = { sent, total };
      byId("sent").value = total ? sent / total : 0;
      write(byId("sent-text"), sent < total ? describe(sent, total, estimate(sent, total)) : t("sending.checking"));
    },
    end() {
      window.removeEventListener("beforeunload", stay);
      byId("sending").hidden = true;
      byId("form").inert = false;
      byId("sent").value = 0;
      write(byId("sent-text"), "");
    },
  };
}

function wirePause(control, now) {
  let isPaused = false;
  const button = byId("pause");
  const show = () => write(button, t(isPaused ? "sending.resume" : "sending.pause"));
  button.onclick = () => {
    isPaused = !isPaused;
    show();
    if (!isPaused) return control.resume();
    control.pause();
    const { sent, total } = now();
    write(byId("sent-text"), t("sending.paused", { sent: size(sent), total: size(total) }));
  };
  show();
}

function describe(sent, total, left) {
  const done = t("sending.progress", { sent: size(sent), total: size(total) });
  return left === null ? done : `${done}, ${t("sending.left", { time: duration(left) })}`;
}
