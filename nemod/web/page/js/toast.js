// Short messages at the lower edge: what was done, and why something was not.

import { byId, el } from "./dom.js";

const SHOWN_MS = 4000;
const ERROR_MS = 9000;
const MOST = 3;

/** Shows a text; returns what removes it. */
export function toast(text, { isError = false, isLasting = false } = {}) {
  const place = byId(isError ? "errors" : "messages");
  const note = el("p", { class: isError ? "toast error" : "toast", onclick: () => end() }, text);
  const end = () => note.remove();
  place.append(note);
  while (place.children.length > MOST) place.firstChild.remove();
  if (!isLasting) setTimeout(end, isError ? ERROR_MS : SHOWN_MS);
  return end;
}
