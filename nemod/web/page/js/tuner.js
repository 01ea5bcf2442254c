// The tuner, which fills the screen while it is on, whoever turned it on.

import { byId, el } from "./dom.js";
import { control, toggle } from "./controls.js";
import { isOffline, offlineNote, sheetHead } from "./dialog.js";

const IN_TUNE_CENTS = 3;

export function tuner(tree, store, ends) {
  const enable = tree.parameter("tuner/enable");
  if (!enable) return null;
  const note = el("div", { class: "note" }, "–");
  const needle = el("div", { class: "needle" });
  const detail = el("div", { class: "detail" }, "Play a string");
  const scale = el(
    "div",
    { class: "scale", role: "meter", "aria-label": "Tuning", "aria-valuemin": "-50", "aria-valuemax": "50", "aria-valuenow": "0" },
    needle,
  );
  const dialog = el(
    "dialog",
    { class: "tuner", "aria-label": "Tuner" },
    sheetHead("Tuner", () => off()),
    offlineNote(),
    el("div", { class: "reading" }, note, scale, detail),
    el("div", { class: "actions" }),
  );
  const places = dialog.lastChild;
  for (const path of ["tuner/mute", "tuner/ref"]) {
    const one = tree.parameter(path);
    const short = { "tuner/mute": "Mute", "tuner/ref": "A4" }[path];
    if (one) places.append(control({ ...one, short }, store, ends));
  }
  const off = () => {
    // Without a connection it can be closed for this page alone.
    if (isOffline()) dialog.close();
    else store.set(enable.address, "F", false);
  };
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    off();
  });

  const heard = { note: "", cents: 0, hz: 0 };
  function show() {
    const isHeard = heard.note !== "";
    const isInTune = isHeard && Math.abs(heard.cents) <= IN_TUNE_CENTS;
    const [letter, octave] = heard.note.match(/^(\D*)(.*)$/).slice(1);
    note.replaceChildren(isHeard ? letter : "–", ...(isHeard ? [el("sub", {}, octave)] : []));
    needle.style.left = `${50 + Math.max(-50, Math.min(50, heard.cents))}%`;
    dialog.classList.toggle("heard", isHeard);
    dialog.classList.toggle("in-tune", isInTune);
    const cents = Math.round(heard.cents);
    const way = isInTune ? "in tune" : cents > 0 ? `${cents} cents sharp` : `${-cents} cents flat`;
    detail.textContent = isHeard ? `${way} · ${heard.hz.toFixed(1)} Hz` : "Play a string";
    scale.setAttribute("aria-valuenow", String(cents));
    scale.setAttribute("aria-valuetext", isHeard ? `${heard.note}, ${way}` : "no string is heard");
  }
  dialog.addEventListener("close", () => stop());
  document.body.append(dialog);
  let endReadings = [];
  const stop = () => {
    for (const end of endReadings) end();
    endReadings = [];
  };
  ends.push(
    store.watch(enable.address, (isOn) => {
      if (isOn && !dialog.open) {
        Object.assign(heard, { note: "", cents: 0, hz: 0 });
        show();
        dialog.showModal();
        endReadings = Object.keys(heard).map((name) =>
          store.watch(`/nemo/tuner/${name}`, (value) => {
            heard[name] = value;
            show();
          }),
        );
      } else if (!isOn && dialog.open) {
        dialog.close();
      }
    }),
    stop,
    () => dialog.remove(),
  );
  return toggle(enable, store, ends, { className: "foot", text: "Tuner" });
}

/** The buttons at the lower edge, within reach of a thumb. */
export function foot(tree, store, ends) {
  const switchOf = (path, text) => {
    const one = tree.parameter(path);
    return one ? toggle(one, store, ends, { className: "foot", text }) : null;
  };
  const tap = tree.has("tempo/tap")
    ? el(
        "button",
        { type: "button", class: "foot", "aria-label": "Tap the tempo", onpointerdown: () => store.send("/nemo/tempo/tap"), onclick: (event) => { if (event.detail === 0) store.send("/nemo/tempo/tap"); } },
        el("span", { class: "beat", "aria-hidden": "true" }),
        el("span", { class: "name" }, "Tap"),
      )
    : null;
  byId("foot").replaceChildren(
    ...[switchOf("bypass", "Bypass"), tap, tuner(tree, store, ends), switchOf("mute", "Mute")].filter(Boolean),
  );
}
