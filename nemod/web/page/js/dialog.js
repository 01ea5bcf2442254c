// Dialogs over the page: each says where there is no connection, because it covers the page's note.

import { el, icon, ICONS } from "./dom.js";

/** What a dialog shows while there is no connection (style.css hides it else). */
export function offlineNote() {
  return el("p", { class: "offline-note inside", role: "status" }, "Not connected to nemod. Trying again…");
}

export const isOffline = () => document.body.classList.contains("offline");

/** Opens a dialog that is removed when it is closed. */
export function openDialog(className, title, ...children) {
  const dialog = el("dialog", { class: className, "aria-label": title }, offlineNote(), ...children);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && className === "sheet") dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The upper edge of a dialog that fills the screen. */
export function sheetHead(title, close) {
  return el(
    "div",
    { class: "head" },
    el("h2", {}, title),
    el("button", { type: "button", class: "step", "aria-label": "Close", onclick: close }, icon(ICONS.close)),
  );
}

/** A menu; items: [text, work, isEnabled] or elements. */
export function openMenu(title, items) {
  const entry = (item) => {
    if (item instanceof Element) return item;
    const [text, work, isEnabled = true] = item;
    const press = () => {
      if (isOffline()) return;
      dialog.close();
      work();
    };
    return el("button", { type: "button", class: "name-row", disabled: !isEnabled, onclick: press }, text);
  };
  const close = () => dialog.close();
  const dialog = openDialog("sheet", title, sheetHead(title, close), ...items.filter(Boolean).map(entry));
  return dialog;
}
