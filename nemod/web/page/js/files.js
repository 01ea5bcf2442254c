// Files to the daemon and from it: models, cabinets, presets. State changes are POSTs below /api/.

import { byId } from "./dom.js";
import { toast } from "./toast.js";

/** By the end of a file's name; everything else is taken for a model. */
const PRESET = /\.ya?ml$/i;
const CABINET = /\.(wav|flac|aiff?)$/i;

function place(name) {
  if (PRESET.test(name)) return "presets";
  if (CABINET.test(name)) return "cabinets";
  return "models";
}

async function send(file) {
  const url = `/api/${place(file.name)}/${encodeURIComponent(file.name)}`;
  const answer = await fetch(url, {
    method: "POST",
    body: file,
    headers: { "X-Nemod": "page", "Content-Type": "application/octet-stream" },
  });
  const text = await answer.text();
  let content = {};
  try {
    content = JSON.parse(text);
  } catch {
    content = { text: `the daemon answered ${answer.status}` };
  }
  if (!answer.ok) throw new Error(content.text || `the daemon answered ${answer.status}`);
  return content;
}

/** Sends files one after the other, and says what became of each. */
export async function upload(files) {
  for (const file of [...files]) {
    const end = toast(`Adding ${file.name}…`, { isLasting: true });
    try {
      const { text } = await send(file);
      toast(text);
    } catch (error) {
      const why = error instanceof TypeError ? "the connection was lost" : error.message;
      toast(`${file.name}: ${why}`, { isError: true });
    } finally {
      end();
    }
  }
}

export function download(url) {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

/** Files may be dropped anywhere on the page. */
export function takeDrops() {
  const hint = byId("drop");
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    depth = Math.max(0, depth + change);
    hint.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => hasFiles(event) && show(1));
  addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(-depth);
    upload(event.dataTransfer.files);
  });
}
