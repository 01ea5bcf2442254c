// The chain as the daemon states it: slots in their order, one of which may split into branches.

const SPLIT = "split";

/** Returns the places of a chain from its JSON: [{ name, kind, file, branches }]. */
export function readChain(text) {
  try {
    return JSON.parse(text).map(place);
  } catch {
    return [];
  }
}

function place(entry) {
  const [name, given] = typeof entry === "string" ? [entry, {}] : Object.entries(entry)[0];
  const content = given ?? {};
  const kind = content.kind ?? name.replace(/\d+$/, "");
  const branch = (key) => ({ key: `${name}/${key}`, letter: key.toUpperCase(), slots: (content[key] ?? []).map(place) });
  return { name, kind, file: content.file ?? "", branches: kind === SPLIT ? [branch("a"), branch("b")] : null };
}

/** All slots in the order of the signal: a split before what is in its branches. */
export function allSlots(places) {
  return places.flatMap((one) => [one, ...(one.branches ?? []).flatMap((branch) => branch.slots)]);
}

/** Names, kinds and places without files: as long as it is the same, so are the controls. */
export function structure(places) {
  return places.map(({ name, kind, branches }) => [name, kind, branches?.map(({ slots }) => structure(slots))]);
}

/** A name for a new slot of a kind, that no other slot has. */
export function freeName(kind, places) {
  const slots = allSlots(places);
  const names = new Set(slots.map((one) => one.name));
  if (!names.has(kind) && !slots.some((one) => one.kind === kind)) return kind;
  let number = 2;
  while (names.has(`${kind}${number}`)) number += 1;
  return `${kind}${number}`;
}

/** The lines of a chain: the main one, whose key is empty, and the branches. */
export function lines(places) {
  return [{ key: "", letter: "", slots: places }, ...places.flatMap((one) => one.branches ?? [])];
}

/** Returns { key, at } of a slot: its line and its place in it. */
export function find(places, name) {
  for (const { key, slots } of lines(places)) {
    const at = slots.findIndex((one) => one.name === name);
    if (at >= 0) return { key, at, slot: slots[at] };
  }
  return null;
}

/**
 * What the daemon calls the place `at` of a line: the slot before it, or the line's own key. Null
 * where there is no such place.
 */
export function where(places, { key, at }) {
  const line = lines(places).find((one) => one.key === key);
  if (!line || at > line.slots.length) return null;
  return at > 0 ? line.slots[at - 1].name : key;
}

function without(places, name) {
  const rest = (slots) => slots.filter((one) => one.name !== name);
  return rest(places).map((one) =>
    one.branches
      ? { ...one, branches: one.branches.map((branch) => ({ ...branch, slots: rest(branch.slots) })) }
      : one,
  );
}

/**
 * Returns where a slot goes that is put in front of the place `at` of a line, as the chain is now:
 * the argument of the daemon's command, or null where it is there already or cannot be.
 */
export function target(places, name, { key, at }) {
  const from = find(places, name);
  if (!from || (from.slot.branches && key !== "")) return null;
  const isSame = from.key === key;
  const to = isSame && at > from.at ? at - 1 : at;
  return isSame && to === from.at ? null : where(without(places, name), { key, at: to });
}

/** All places that a slot can have among the others, in the order of the signal. */
function stops(places, isSplit) {
  const found = [];
  places.forEach((one, at) => {
    found.push({ key: "", at });
    if (isSplit) return;
    for (const { key, slots } of one.branches ?? []) {
      for (let inside = 0; inside <= slots.length; inside += 1) found.push({ key, at: inside });
    }
  });
  return [...found, { key: "", at: places.length }];
}

/** Returns where a slot goes that is moved by one place, into branches and out of them, or null. */
export function neighbour(places, name, by) {
  const from = find(places, name);
  if (!from) return null;
  const others = without(places, name);
  const all = stops(others, Boolean(from.slot.branches));
  const now = all.findIndex(({ key, at }) => key === from.key && at === from.at);
  const next = all[now + by];
  return next ? where(others, next) : null;
}

/** Says where a slot is: "2 of 7", or "branch A, 1 of 2". */
export function placeText(places, name) {
  const from = find(places, name);
  if (!from) return "";
  const line = lines(places).find(({ key }) => key === from.key);
  return `${line.letter ? `branch ${line.letter}, ` : ""}${from.at + 1} of ${line.slots.length}`;
}
