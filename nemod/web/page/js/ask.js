// A question in a dialog: for a name, or for a yes.

import { isOffline, openDialog } from "./dialog.js";
import { el } from "./dom.js";

/** Resolves with the text that was typed, true where none is asked for, or null. */
export function ask({ title, text = "", label = "", value = "", action }) {
  return new Promise((resolve) => {
    let answer = null;
    const input = label
      ? el("input", { type: "text", maxlength: "64", "aria-label": label, autocomplete: "off" })
      : null;
    const dialog = openDialog(
      "ask",
      title,
      el("h2", {}, title),
      text ? el("p", {}, text) : null,
      input,
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", class: "action", onclick: () => dialog.close() }, "Cancel"),
        el("button", { type: "button", class: "action main", onclick: () => accept() }, action),
      ),
    );
    dialog.addEventListener("close", () => resolve(answer));

    function accept() {
      // It would be lost: what was typed stays until there is a connection again.
      if (isOffline()) return;
      answer = input ? input.value.trim() || null : true;
      dialog.close();
    }

    if (input) {
      input.value = value;
      input.onkeydown = (event) => {
        if (event.key !== "Enter") return;
        // The button that has the focus again must not be pressed by the same key.
        event.preventDefault();
        accept();
      };
      input.select();
    }
  });
}
