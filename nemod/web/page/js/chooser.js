// Choosing one of many by name: models, presets, and the files of any slot that has them.

import { el, icon, ICONS } from "./dom.js";
import { openList } from "./list.js";

/**
 * Returns { element, refresh } for a container with `load`, `current`, `list`, and perhaps `next`
 * and `prev`. `width`: entries of its list are that many values each; the last one is the name.
 */
export function chooser(name, label, tree, store, ends, { width = 1, problems = null, of = "" } = {}) {
  const at = (leaf) => `/nemo/${name}/${leaf}`;
  const step = (leaf, text, path) =>
    el(
      "button",
      { type: "button", class: "step", "aria-label": text, title: text, onclick: () => load(leaf, "…") },
      icon(path),
    );
  const shown = el("span", { class: "current" }, "…");
  const noun = of ? `file of ${of}` : label.toLowerCase();
  const title = of ? `${of} file` : label;
  const button = el(
    "button",
    { type: "button", class: "choose", "aria-haspopup": "dialog", onclick: () => open() },
    el("span", { class: "kind" }, label),
    shown,
    icon(ICONS.down),
  );
  const element = el(
    "div",
    { class: "chooser" },
    tree.has(`${name}/prev`) ? step("prev", `Previous ${noun}`, ICONS.previous) : null,
    button,
    tree.has(`${name}/next`) ? step("next", `Next ${noun}`, ICONS.next) : null,
  );
  let current = "";
  let newest = 0;

  /** Shows what is on its way until it is there, or has failed. */
  function load(leaf, name, ...args) {
    const own = ++newest;
    const over = () => {
      if (own !== newest) return; // another request of this chooser is still under way
      button.classList.remove("busy");
      button.removeAttribute("aria-busy");
      shown.textContent = current || "none";
    };
    if (!store.start(at(leaf), over, ...args)) return;
    button.classList.add("busy");
    button.setAttribute("aria-busy", "true");
    shown.textContent = name;
  }

  ends.push(
    store.watch(at("current"), (value) => {
      current = value;
      if (!button.classList.contains("busy")) shown.textContent = value || "none";
      button.setAttribute("aria-label", `${title}: ${value || "none"}`);
    }),
  );

  async function open() {
    const entries = await store.list(at("list"), width).catch(() => null);
    if (entries === null) return;
    const faults = problems ? problems() : {};
    openList({
      title,
      current,
      entries: entries.map((entry) => ({
        name: String(entry.at(-1)),
        number: width > 1 ? entry[0] : null,
        note: Object.hasOwn(faults, entry.at(-1)) ? String(faults[entry.at(-1)]) : "",
      })),
      choose: (entry) =>
        entry.number === null
          ? load("load", entry.name, "s", entry.name)
          : load("load", entry.name, "i", entry.number),
    });
  }
  return { element, open };
}
