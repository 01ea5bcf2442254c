// What there is to control, read from the OSCQuery tree: nothing here knows a single knob's range.

import { allSlots, readChain, structure } from "./chain.js";

/** One parameter: main address, label, range and default. */
function parameter(root, path, label) {
  const node = find(root, path);
  const real = find(root, `real/${path}`);
  if (!node) return null;
  const [range] = node.RANGE;
  const limits = real?.RANGE?.[0] ?? {};
  return {
    path,
    label,
    help: node.DESCRIPTION ?? "",
    address: node.FULL_PATH,
    text: `/nemo/text/${path}`,
    real: real?.FULL_PATH ?? node.FULL_PATH,
    kind: node.TYPE === "T" ? "switch" : range?.VALS ? "choice" : "number",
    names: node.OVERLOADS?.[0]?.RANGE?.[0]?.VALS ?? range?.VALS ?? [],
    min: range?.MIN ?? 0,
    max: range?.MAX ?? 1,
    isBipolar: limits.MIN < 0 && limits.MIN === -limits.MAX,
    default: node.DEFAULT_VALUE?.[0] ?? null,
  };
}

function find(root, path) {
  let node = root;
  for (const part of path.split("/")) {
    if (!node?.CONTENTS || !Object.hasOwn(node.CONTENTS, part)) return null;
    node = node.CONTENTS[part];
  }
  return node;
}

function* labels(node, prefix = "") {
  for (const [name, child] of Object.entries(node?.CONTENTS ?? {})) {
    if (child.CONTENTS) yield* labels(child, `${prefix}${name}/`);
    else yield [prefix + name, child.DESCRIPTION ?? name];
  }
}

/** Names of the first two knobs of a model are gain and level, under which they are shown. */
const isOtherName = (path) => /(^|\/)knob\//.test(path) && !/(^|\/)knob\/([3-9]|[1-9]\d+)$/.test(path);

export class Tree {
  /** root: the JSON of /nemo. */
  constructor(root) {
    this.root = root;
    this.places = readChain(find(root, "chain/slots")?.VALUE?.[0] ?? "[]");
    this.parameters = new Map();
    for (const [path, label] of labels(find(root, "text"))) {
      const found = isOtherName(path) ? null : parameter(root, path, label);
      if (found) this.parameters.set(path, found);
    }
    try {
      this.kinds = JSON.parse(find(root, "chain/kinds")?.VALUE?.[0] ?? "{}");
    } catch {
      this.kinds = {};
    }
  }

  has(path) {
    return find(this.root, path) !== null;
  }

  parameter(path) {
    return this.parameters.get(path) ?? null;
  }

  /** The leaves of a container: { name: { address, help } }. */
  leaves(path) {
    return Object.entries(find(this.root, path)?.CONTENTS ?? {})
      .filter(([, node]) => !node.CONTENTS)
      .map(([name, node]) => ({ name, address: node.FULL_PATH, help: node.DESCRIPTION ?? "" }));
  }

  /** Whether a container loads files. */
  hasFiles(path) {
    return ["load", "current", "list"].every((leaf) => this.has(`${path}/${leaf}`));
  }

  /** Whether a slot is the first of its kind, whose controls have short addresses. */
  isFirst(name) {
    const slots = allSlots(this.places);
    const own = slots.find((one) => one.name === name);
    return Boolean(own) && slots.find((one) => one.kind === own.kind) === own;
  }

  /** The container that loads a slot's files; null where it has none. */
  filesOf({ name, kind }) {
    if (this.hasFiles(name)) return name;
    return this.isFirst(name) && this.hasFiles(kind) ? kind : null;
  }

  /** What a slot is called on the page: "Delay 2", or its own name. */
  slotLabel({ name, kind }) {
    if (name.replace(/\d+$/, "") !== kind) return title(name);
    const number = name.slice(kind.length);
    return `${this.kindLabel(kind)}${number && ` ${number}`}`;
  }

  kindLabel(kind) {
    return this.kinds[kind] ?? title(kind);
  }

  /** The controls of a slot of the chain: all that stands below its name. */
  slot(place) {
    const label = this.slotLabel(place);
    const words = [label, this.kindLabel(place.kind)];
    const own = this.below(place.name).map((one) => ({ ...one, label: plain(one.label, place.name) }));
    const found = controls(place.name, own, words);
    const named = (one) => ({ ...one, label: full(label, one.label, words) });
    return {
      ...place,
      label,
      files: this.filesOf(place),
      enable: found.enable && named(found.enable),
      parameters: found.parameters.map(named),
    };
  }

  below(name) {
    return [...this.parameters.values()].filter((one) => one.path.startsWith(`${name}/`));
  }

  /**
   * What belongs to no slot: a card for each container. `elsewhere` names the containers and
   * paths that stand at another place of the page.
   */
  others(elsewhere) {
    const groups = new Map();
    const slots = new Set(allSlots(this.places).map((one) => one.name));
    for (const [path, one] of this.parameters) {
      const name = path.includes("/") ? path.split("/")[0] : "";
      if (slots.has(name) || elsewhere.has(path) || elsewhere.has(name)) continue;
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(one);
    }
    return [...groups].map(([name, own]) => {
      const label = own.find((one) => one.path === `${name}/enable`)?.label ?? title(name);
      return { name, label, files: this.hasFiles(name) ? name : null, ...controls(name, own, [label, title(name)]) };
    });
  }

  /** Each parameter once, with a label that says of which slot it is: [[path, label]]. */
  named() {
    const slots = allSlots(this.places);
    return [...this.parameters].flatMap(([path, one]) => {
      const [name, ...rest] = path.split("/");
      const slot = rest.length ? slots.find((found) => found.name === name) : null;
      if (!slot) return [[path, one.label]];
      const control = rest.join("/");
      const main = [control, `${slot.kind}/${control}`].find((other) => other !== path && this.parameters.has(other));
      // The first of a kind has its controls by shorter paths, too.
      if (main && this.isFirst(name)) return [];
      const label = this.slotLabel(slot);
      return [[path, full(label, plain(one.label, name), [label, this.kindLabel(slot.kind)])]];
    });
  }

  /** A text that is the same as long as the page need not be built again. */
  signature() {
    const shown = [...this.parameters.values()].map((one) => Object.values(one).join(" "));
    return JSON.stringify([shown, Object.keys(this.root.CONTENTS ?? {}), structure(this.places), this.kinds]);
  }
}

/** Returns { enable, parameters }: the switch of a slot apart, the others with a short name. */
function controls(name, own, words) {
  return {
    enable: own.find((one) => one.path === `${name}/enable`) ?? null,
    parameters: own
      .filter((one) => one.path !== `${name}/enable`)
      .map((one) => ({ ...one, short: capital(within(one.label, words)) })),
  };
}

/** "Delay time" is "time" below the heading "Delay". */
function within(label, words) {
  const begin = words.find((word) => `${label} `.toLowerCase().startsWith(`${word} `.toLowerCase()));
  return begin ? label.slice(begin.length + 1) : label;
}

/** A parameter's label with that of its slot: "Delay 2 time", "EQ: Bass". */
function full(slot, label, words) {
  const rest = within(label, words);
  if (rest === label) return `${slot}: ${label}`;
  return `${slot} ${rest}`.trim();
}

/** The daemon says behind a label which slot it is of, where it is not the first of its kind. */
function plain(label, slot) {
  const end = ` (${slot})`;
  return label.endsWith(end) ? label.slice(0, -end.length) : label;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function title(word) {
  const last = word.split("/").pop().replaceAll("_", " ");
  return capital(last);
}
