// The board: a card for each slot of the chain, in its order.

import { el } from "./dom.js";
import { control, toggle } from "./controls.js";
import { FACE } from "./face.js";
import { chooser } from "./chooser.js";

/** What stands at another place of the page: face, bar, tuner, and the ends of the chain. */
const ELSEWHERE = new Set([
  ...FACE.filter((path) => !path.includes("/")),
  "knob", "bypass", "mute", "tuner", "tempo", "input", "output",
]);

export function board(tree, store, ends) {
  const slots = tree.slots(ELSEWHERE);
  return slots.map((slot) => card(slot, tree, store, ends));
}

function card(slot, tree, store, ends) {
  const id = `slot-${slot.name.replaceAll("/", "-") || "more"}`;
  const label = slot.label || "More";
  const head = el("div", { class: "head" }, el("h3", { id }, label));
  if (slot.enable) head.append(toggle(slot.enable, store, ends, { text: "" }));
  const rows = slot.parameters.map((one) => control(one, store, ends));
  const files = slot.hasFiles ? chooser(slot.name, label, tree, store, ends).element : null;
  const element = el("section", { class: "card slot", "aria-labelledby": id }, head, files, ...rows);
  if (slot.enable) {
    ends.push(
      store.watch(slot.enable.address, (isOn) => element.classList.toggle("off", !isOn)),
    );
  }
  return element;
}

/** What is before and after the chain, and the tempo. */
export function ends(tree, store, removed) {
  return ["input", "output", "tempo/bpm"]
    .map((path) => tree.parameter(path))
    .filter(Boolean)
    .map((one) => control(one, store, removed));
}
