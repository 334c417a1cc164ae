// The page: words first, then what the server takes, then what it has.

import { write } from "/page/dom.js";
import { loadWords, t, translate } from "/page/i18n.js";
import { startJobs } from "/page/jobs.js";
import { startUpload } from "/page/upload.js";

await loadWords();
translate(document);

const info = await (await fetch("/api/info")).json();
const standing = info.daemon === "none" ? t("connection.noDaemon") : "";
const jobs = await startJobs(banner);
await startUpload(info, jobs.add);
banner("");
document.body.dataset.ready = "true";

function banner(sentence) {
  const node = document.getElementById("banner");
  node.hidden = !(sentence || standing);
  write(node, sentence || standing);
}
