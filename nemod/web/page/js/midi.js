// Controllers: which are connected, what their controls do, and learning.

import { el } from "./dom.js";

/** What a press can do, besides all parameters. */
const ACTIONS = {
  "preset/next": "Next preset",
  "preset/prev": "Previous preset",
  "model/next": "Next model",
  "model/prev": "Previous model",
  "tempo/tap": "Tap the tempo",
  panic: "Panic: silence",
};

/** Returns the content of the card, or nothing where the daemon cannot learn. */
export function midi(tree, store, ends) {
  if (!tree.has("midi/learn")) return null;
  const names = new Map([
    ...tree.named(),
    ...Object.entries(ACTIONS).filter(([path]) => tree.has(path)),
  ]);
  const what = el(
    "select",
    { "aria-label": "What a control is to do" },
    ...[...names].map(([path, name]) => el("option", { value: path }, name)),
  );
  const learn = el(
    "button",
    { type: "button", class: "action", onclick: () => store.start("/nemo/midi/learn", refresh, "s", what.value) },
    "Learn",
  );
  const cancel = el(
    "button",
    { type: "button", class: "action main wanted", hidden: true, onclick: () => store.send("/nemo/midi/cancel") },
    "Cancel",
  );
  const hint = el("p", { class: "quiet", role: "status" });
  const ports = el("p", { class: "quiet" });
  const list = el("ul", { class: "bindings" });
  const nameOf = (target) => names.get(target) ?? { "preset/load": "Preset by number" }[target] ?? target;

  let isAsking = false;
  let isOld = false;

  /** Shows what is connected and bound; at most one question is under way. */
  async function refresh() {
    isOld = true;
    if (isAsking) return;
    isAsking = true;
    while (isOld) {
      isOld = false;
      await ask();
    }
    isAsking = false;
  }

  async function ask() {
    try {
      const connected = (await store.list("/nemo/midi/ports", 1)).flat();
      ports.textContent = connected.length
        ? `Connected: ${connected.join(", ")}`
        : "No controller is connected.";
      list.replaceChildren(...(await store.list("/nemo/midi/list", 4)).map(row));
    } catch {
      // Asked again, or disconnected: the next answer is shown.
    }
  }

  function row([target, control, isDefault, device]) {
    const remove = isDefault ? null : el(
      "button",
      {
        type: "button",
        class: "action",
        "aria-label": `Remove ${control} from ${nameOf(target)}`,
        onclick: () => store.start("/nemo/midi/unlearn", refresh, "sss", target, control, device),
      },
      "Remove",
    );
    const where = [control, device, isDefault ? "default" : ""].filter(Boolean).join(" · ");
    return el("li", {}, el("span", { class: "text" }, nameOf(target), el("small", {}, where)), remove);
  }

  // They are sent when they change, and after each new connection.
  ends.push(
    store.watch("/nemo/midi/list", refresh),
    store.watch("/nemo/midi/ports", refresh),
    store.watch("/nemo/midi/learning", (target) => {
      hint.textContent = target ? `Move the control that is to do this: ${nameOf(target)}` : "";
      learn.hidden = Boolean(target);
      cancel.hidden = !target;
    }),
  );
  refresh();
  return el("div", { class: "stack-1" }, ports, what, el("div", { class: "actions" }, learn, cancel), hint, list);
}
