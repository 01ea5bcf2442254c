// The plug-in's face: the seven knobs that a player reaches for first, and the model.

import { control } from "./controls.js";

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

export function bypassed(tree, store, ends, element) {
  const bypass = tree.parameter("bypass");
  if (!bypass) return;
  ends.push(store.watch(bypass.address, (isOn) => element.classList.toggle("bypassed", Boolean(isOn))));
}
