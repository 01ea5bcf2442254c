// The WebSocket: OSC messages both ways. It connects again whenever it is lost.

import { decode, encode } from "./osc.js";

const PING_MS = 3000;
const ANSWER_MS = 2000;
const FIRST_RETRY_MS = 400;
const LONGEST_RETRY_MS = 4000;

export class Connection {
  /** handlers: opened(), closed(), message(address, values), pathChanged(path). */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.socket = null;
    this.isOpen = false;
    this.retryMs = FIRST_RETRY_MS;
    this.retry = 0;
    this.isWaiting = false;
    this.askedMs = 0;
    setInterval(() => this.check(), PING_MS);
    const wake = () => this.wake();
    addEventListener("online", wake);
    addEventListener("pageshow", wake);
    document.addEventListener("visibilitychange", wake);
  }

  /** Opens a new WebSocket in place of any other. */
  connect() {
    clearTimeout(this.retry);
    this.drop();
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.isWaiting = false;
      this.isOpen = true;
      this.handlers.opened();
    };
    socket.onmessage = (event) => {
      this.isWaiting = false;
      this.receive(event.data);
    };
    socket.onclose = () => this.lost();
    this.socket = socket;
  }

  /** Sends a message; returns whether there is a connection. */
  send(address, tags = "", ...values) {
    if (!this.isOpen) return false;
    this.socket.send(encode(address, tags, values));
    return true;
  }

  listen(address) {
    this.command("LISTEN", address);
  }

  ignore(address) {
    this.command("IGNORE", address);
  }

  command(name, address) {
    if (this.isOpen) this.socket.send(JSON.stringify({ COMMAND: name, DATA: address }));
  }

  receive(data) {
    if (typeof data === "string") {
      const { COMMAND, DATA } = JSON.parse(data);
      if (COMMAND === "PATH_CHANGED") this.handlers.pathChanged(DATA);
      return;
    }
    const { address, values } = decode(data);
    this.handlers.message(address, values);
  }

  /** Finds a connection that ended without a word, as when the power fails. */
  check() {
    if (!this.isOpen) return;
    if (!this.isWaiting) this.ask();
    else if (!this.isRecent()) this.lost();
  }

  ask() {
    this.isWaiting = true;
    this.askedMs = performance.now();
    this.send("/nemo/ping");
  }

  /** Whether the answer to what was asked last may still be on its way. */
  isRecent() {
    return performance.now() - this.askedMs < ANSWER_MS;
  }

  /** Connects at once: the phone was asleep, or has its network again. */
  wake() {
    if (document.visibilityState !== "visible") return;
    if (!this.isOpen) this.connect();
    else if (!this.isWaiting || !this.isRecent()) this.ask();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    this.isOpen = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  lost() {
    this.drop();
    this.handlers.closed();
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 1.6, LONGEST_RETRY_MS);
  }
}
