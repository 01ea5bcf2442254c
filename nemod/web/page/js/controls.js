// The control of a parameter, whatever its kind is: a knob, a switch, or a list of choices.

import { el } from "./dom.js";
import { knob } from "./knob.js";

export function control(parameter, store, ends, options) {
  if (parameter.kind === "switch") return toggle(parameter, store, ends);
  if (parameter.kind === "choice") return choice(parameter, store, ends);
  return knob(parameter, store, ends, options);
}

/** A button that is on or off; `label` false leaves the text to what stands beside it. */
export function toggle(parameter, store, ends, { className = "switch", text = null } = {}) {
  const name = text ?? parameter.short ?? parameter.label;
  let isOn = false;
  const button = el(
    "button",
    {
      type: "button",
      class: className,
      role: "switch",
      "aria-checked": "false",
      "aria-label": parameter.label,
      title: parameter.help,
      "data-address": parameter.address,
      onclick: () => store.set(parameter.address, isOn ? "F" : "T", !isOn),
    },
    el("span", { class: "lamp", "aria-hidden": "true" }),
    el("span", { class: "name" }, name),
  );
  ends.push(
    store.watch(parameter.address, (value) => {
      isOn = Boolean(value);
      button.setAttribute("aria-checked", String(isOn));
    }),
  );
  return button;
}

function choice(parameter, store, ends) {
  const menu = el(
    "select",
    {
      title: parameter.help,
      "aria-label": parameter.label,
      "data-address": parameter.address,
      onchange: () => store.set(parameter.address, "i", menu.selectedIndex),
    },
    ...parameter.names.map((name) => el("option", {}, String(name))),
  );
  ends.push(
    store.watch(parameter.address, (value) => {
      menu.selectedIndex = value;
    }),
  );
  const name = parameter.short ?? parameter.label;
  return el("div", { class: "fader choice" }, el("span", { class: "name" }, name), menu);
}
