// The size of a model whose file holds several: a smaller one takes less time.

import { el } from "./dom.js";
import { knob } from "./knob.js";

/** Returns an element that is shown while the file in a slot has several sizes; null without them. */
export function sizeControl({ name, kind, files }, label, tree, store, ends) {
  // The first model's size has a short address.
  const isMain = kind === "model" && tree.isFirst(name);
  const path = [`${name}/size`, isMain ? "size" : ""].find((one) => one && tree.has(one));
  if (!path || !tree.has(`${files}/info`)) return null;
  const address = `/nemo/${path}`;
  const parameter = {
    path,
    label: `${label} size`,
    short: "Size",
    help: "A smaller size takes less time. It is heard a moment later.",
    address,
    text: null,
    real: address,
    scale: 0.01,
    min: 0,
    max: 1,
    isBipolar: false,
    default: 1,
  };
  const place = el("div", { hidden: true }, knob(parameter, store, ends));
  ends.push(
    store.watch(`/nemo/${files}/info`, (text) => {
      place.hidden = !(sizes(text) > 1);
    }),
  );
  return place;
}

function sizes(text) {
  try {
    return Number(JSON.parse(text).sizes);
  } catch {
    return 1;
  }
}
