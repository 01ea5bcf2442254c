// OSC messages: bytes to address and values, and back. Strict: what is malformed throws.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

function padded(text) {
  const bytes = encoder.encode(text);
  const field = new Uint8Array((bytes.length + 4) & ~3);
  field.set(bytes);
  return field;
}

function argument(tag, value) {
  if (tag === "s") return padded(value);
  const field = new DataView(new ArrayBuffer(4));
  if (tag === "f") field.setFloat32(0, value);
  else if (tag === "i") field.setInt32(0, value);
  else throw new TypeError(`cannot send an argument of type ${tag}`);
  return new Uint8Array(field.buffer);
}

/** Returns the bytes of a message; tags is a string such as "fs", T and F have no value. */
export function encode(address, tags = "", values = []) {
  const parts = [padded(address), padded(`,${tags}`)];
  let next = 0;
  for (const tag of tags) {
    if (tag !== "T" && tag !== "F") parts.push(argument(tag, values[next++]));
  }
  const message = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

class Reader {
  constructor(buffer) {
    if (buffer.byteLength % 4) throw new RangeError("the size is no multiple of 4");
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.at = 0;
  }

  skip(size) {
    const begin = this.at;
    this.at += size;
    if (this.at > this.bytes.length) throw new RangeError("the message is cut off");
    return begin;
  }

  text() {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new RangeError("a string without an end");
    const begin = this.skip(((end >> 2) + 1) * 4 - this.at);
    return decoder.decode(this.bytes.subarray(begin, end));
  }

  value(tag) {
    switch (tag) {
      case "f": return this.view.getFloat32(this.skip(4));
      case "i": return this.view.getInt32(this.skip(4));
      case "d": return this.view.getFloat64(this.skip(8));
      case "h": return Number(this.view.getBigInt64(this.skip(8)));
      case "s": return this.text();
      case "T": return true;
      case "F": return false;
      case "N": return null;
      default: throw new TypeError(`an argument of type ${tag}`);
    }
  }
}

/** Returns { address, values } of one message. Throws for anything else, bundles included. */
export function decode(buffer) {
  const reader = new Reader(buffer);
  const address = reader.text();
  if (!address.startsWith("/")) throw new TypeError("not a message");
  const tags = reader.text();
  if (!tags.startsWith(",")) throw new TypeError("no type tags");
  const values = Array.from(tags.slice(1), (tag) => reader.value(tag));
  if (reader.at !== reader.bytes.length) throw new RangeError("bytes after the message");
  return { address, values };
}
