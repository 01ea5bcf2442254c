// Presets and the snapshots of the current one.

import { el } from "./dom.js";
import { ask } from "./ask.js";
import { chooser } from "./chooser.js";
import { openMenu } from "./dialog.js";
import { download, upload } from "./files.js";

const SNAPSHOTS = 8;

/** Returns the elements: the chooser, what can be done with the current preset, the snapshots. */
export function presets(tree, store, ends) {
  if (!tree.has("preset/load")) return [];
  let number = -1;
  let name = "";
  const more = el(
    "button",
    { type: "button", class: "action", "aria-haspopup": "dialog", onclick: () => actions() },
    "More…",
  );
  const save = el(
    "button",
    { type: "button", class: "action main", onclick: () => (number < 0 ? saveAs() : store.send("/nemo/preset/save")) },
    "Save",
  );
  const changed = el("span", { class: "changed", role: "status" });
  const choose = chooser("preset", "Preset", tree, store, ends, { width: 2 });
  ends.push(
    store.watch("/nemo/preset/index", (value) => { number = value; }),
    store.watch("/nemo/preset/current", (value) => { name = value; }),
    store.watch("/nemo/preset/dirty", (isDirty) => {
      changed.textContent = isDirty ? "changed" : "";
      save.classList.toggle("wanted", isDirty);
    }),
  );

  async function saveAs() {
    const given = await ask({ title: "Save as a new preset", label: "Name", value: name, action: "Save" });
    if (given) store.send("/nemo/preset/save", "s", given);
  }

  // Another preset may be loaded while a dialog is open: it is about the one that it names.

  async function rename() {
    const which = number;
    const title = `Rename preset ${which}`;
    const given = await ask({ title, label: "Name", value: name, action: "Rename" });
    if (given) store.send("/nemo/preset/rename", "si", given, which);
  }

  async function remove() {
    const which = number;
    const text = `Delete preset ${which}, ${name}? The sound stays as it is.`;
    if (await ask({ title: "Delete the preset", text, action: "Delete" })) {
      store.send("/nemo/preset/delete", "i", which);
    }
  }

  function actions() {
    const isCurrent = number >= 0;
    const file = el("input", {
      type: "file",
      accept: ".yaml,.yml",
      multiple: true,
      hidden: true,
      onchange: () => {
        dialog.close();
        upload(file.files);
      },
    });
    const which = number;
    const dialog = openMenu(isCurrent ? `Preset ${number}: ${name}` : "Preset", [
      ["Save as a new preset…", saveAs],
      ["Rename…", rename, isCurrent],
      ["Download", () => download(`/api/presets/${which}`), isCurrent],
      ["Delete…", remove, isCurrent],
      el("button", { type: "button", class: "name-row", onclick: () => file.click() }, "Add from a file…"),
      file,
    ]);
  }

  return [
    choose.element,
    el("div", { class: "actions" }, changed, save, more),
    tree.has("snapshot/load") ? snapshots(store) : null,
  ].filter(Boolean);
}

/** Eight positions of all knobs: a tap recalls one; after "Store", it stores there. */
function snapshots(store) {
  let isStoring = false;
  const keys = Array.from({ length: SNAPSHOTS }, (_, at) =>
    el(
      "button",
      { type: "button", class: "snapshot", "aria-label": `Snapshot ${at + 1}`, onclick: () => press(at) },
      String(at + 1),
    ),
  );
  const mode = el(
    "button",
    { type: "button", class: "snapshot store", "aria-pressed": "false", onclick: () => arm(!isStoring) },
    "Store",
  );
  const row = el("div", { class: "snapshots", role: "group", "aria-label": "Snapshots" }, ...keys, mode);

  function arm(isOn) {
    isStoring = isOn;
    mode.setAttribute("aria-pressed", String(isOn));
    mode.textContent = isOn ? "Where?" : "Store";
    row.classList.toggle("storing", isOn);
  }

  function press(at) {
    if (!store.send(isStoring ? "/nemo/snapshot/save" : "/nemo/snapshot/load", "i", at)) return;
    for (const key of keys) key.classList.toggle("last", key === keys[at]);
    arm(false);
  }
  return row;
}
