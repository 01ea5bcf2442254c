// What there is to control, read from the OSCQuery tree: nothing here knows a single knob's range.

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
const isAlias = (path) => path.startsWith("knob/") && !/^knob\/([3-9]|[1-9]\d+)$/.test(path);

export class Tree {
  /** root: the JSON of /nemo. */
  constructor(root) {
    this.root = root;
    this.parameters = new Map();
    for (const [path, label] of labels(find(root, "text"))) {
      const found = isAlias(path) ? null : parameter(root, path, label);
      if (found) this.parameters.set(path, found);
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

  /**
   * The slots in their order: every container with parameters, and what loads a file if it has
   * that. `elsewhere` names the containers and paths that stand at another place of the page.
   */
  slots(elsewhere) {
    const slots = new Map();
    for (const [path, one] of this.parameters) {
      const name = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
      if (elsewhere.has(path) || elsewhere.has(name)) continue;
      if (!slots.has(name)) slots.set(name, { name, label: "", enable: null, parameters: [] });
      const slot = slots.get(name);
      if (path === `${name}/enable`) slot.enable = one;
      else slot.parameters.push(one);
    }
    for (const slot of slots.values()) {
      slot.hasFiles = ["load", "current", "list"].every((leaf) => this.has(`${slot.name}/${leaf}`));
      slot.label = slot.enable?.label ?? title(slot.name);
      // "Delay time" is "Time" below the heading "Delay".
      const words = [slot.label, title(slot.name)].map((word) => `${word} `.toLowerCase());
      slot.parameters = slot.parameters.map((one) => {
        const word = words.find((begin) => one.label.toLowerCase().startsWith(begin));
        return { ...one, short: word ? title(one.label.slice(word.length)) : one.label };
      });
    }
    return [...slots.values()];
  }

  /** A text that is the same as long as the page need not be built again. */
  signature() {
    const shown = [...this.parameters.values()].map((one) => Object.values(one).join(" "));
    return JSON.stringify([shown, Object.keys(this.root.CONTENTS ?? {})]);
  }
}

export function title(word) {
  const last = word.split("/").pop().replaceAll("_", " ");
  return last.charAt(0).toUpperCase() + last.slice(1);
}
