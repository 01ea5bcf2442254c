// A list that fills the screen, with a search above it.

import { isOffline, openDialog, sheetHead } from "./dialog.js";
import { el } from "./dom.js";

/** entries: [{ name, number, note }]; choose(entry) is called with the one that is tapped. */
export function openList({ title, current, entries, choose, extra }) {
  const search = el("input", {
    type: "search",
    placeholder: `Search ${entries.length}`,
    "aria-label": `Search ${title.toLowerCase()}s`,
    autocomplete: "off",
    oninput: () => filter(),
  });
  const rows = entries.map((entry) => row(entry));
  const list = el("ul", { class: "names" }, ...rows.map((one) => one.element));
  const none = el("p", { class: "quiet", hidden: true }, "Nothing has this name.");
  const dialog = openDialog(
    "sheet",
    title,
    sheetHead(title, () => dialog.close()),
    entries.length > 7 ? search : null,
    list,
    none,
    extra,
  );

  function row(entry) {
    const isCurrent = entry.name === current;
    const button = el(
      "button",
      {
        type: "button",
        class: "name-row",
        "aria-current": isCurrent ? "true" : null,
        onclick: () => {
          if (isOffline()) return;
          dialog.close();
          choose(entry);
        },
      },
      typeof entry.number === "number" ? el("span", { class: "number" }, String(entry.number)) : null,
      el("span", { class: "text" }, entry.name, entry.note ? el("small", {}, entry.note) : null),
    );
    return { element: el("li", {}, button), folded: entry.name.toLocaleLowerCase(), isCurrent };
  }

  function filter() {
    const words = search.value.toLocaleLowerCase().split(/\s+/);
    let count = 0;
    for (const one of rows) {
      const isFound = words.every((word) => one.folded.includes(word));
      one.element.hidden = !isFound;
      count += isFound;
    }
    none.hidden = count > 0;
  }

  const chosen = rows.find((one) => one.isCurrent)?.element;
  chosen?.scrollIntoView({ block: "center" });
  chosen?.firstChild.focus();
  return dialog;
}
