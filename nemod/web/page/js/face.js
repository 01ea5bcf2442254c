// The plug-in's face: the seven knobs that a player reaches for first, and the model.

import { allSlots } from "./chain.js";
import { control } from "./controls.js";
import { sizeControl } from "./size.js";

/** As on the plug-in; what the daemon does not have is left out. */
export const FACE = ["gain", "bass", "mid", "treble", "delay/mix", "reverb/mix", "level"];

export function face(tree, store, ends) {
  const knobs = FACE.map((path) => tree.parameter(path)).filter(Boolean);
  return knobs.map((one) => {
    const short = one.label.replace(/ mix$/i, "");
    return control({ ...one, short }, store, ends, { isDial: true });
  });
}

/** Knobs of the model beyond the two that are gain and level. */
export function modelKnobs(tree, store, ends) {
  return [...tree.parameters.values()]
    .filter((one) => one.path.startsWith("knob/"))
    .map((one) => control(one, store, ends, { isDial: true }));
}

/** The size of the first model, where its file holds several. */
export function modelSize(tree, store, ends) {
  const first = allSlots(tree.places).find((one) => one.kind === "model");
  const slot = first && { ...first, files: tree.filesOf(first) };
  return slot?.files ? [sizeControl(slot, "Model", tree, store, ends)].filter(Boolean) : [];
}

export function bypassed(tree, store, ends, element) {
  const bypass = tree.parameter("bypass");
  if (!bypass) return;
  ends.push(store.watch(bypass.address, (isOn) => element.classList.toggle("bypassed", Boolean(isOn))));
}
