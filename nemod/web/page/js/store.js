// What the daemon last said of every address that the page shows, and what the page sets.

const SEND_MS = 25;

export class Store {
  constructor() {
    this.connection = null;
    this.values = new Map();
    this.watchers = new Map();
    this.unsent = new Map();
    this.timer = 0;
    this.sentAt = -SEND_MS;
    this.onError = () => {};
    this.onDone = () => {};
    this.answers = new Map();
    this.jobs = new Map();
  }

  /** Calls watcher(value) with the present value, if known, and every new one. Returns the end. */
  watch(address, watcher) {
    let all = this.watchers.get(address);
    if (!all) {
      all = new Set();
      this.watchers.set(address, all);
      this.connection.listen(address);
    }
    all.add(watcher);
    if (this.values.has(address)) watcher(this.values.get(address));
    return () => this.unwatch(address, watcher);
  }

  unwatch(address, watcher) {
    const all = this.watchers.get(address);
    if (!all || !all.delete(watcher) || all.size) return;
    this.watchers.delete(address);
    this.values.delete(address);
    this.connection.ignore(address);
  }

  /** Asks for all that is shown: a new connection knows nothing of it. */
  listenAgain() {
    this.unsent.clear();
    for (const waiting of [...this.answers.values()]) waiting.end(null);
    const jobs = [...this.jobs.values()].flat();
    this.jobs.clear();
    for (const over of jobs) over("closed", "");
    for (const address of this.watchers.keys()) this.connection.listen(address);
  }

  value(address) {
    return this.values.get(address);
  }

  /** Sets an address, at most every 25 ms; the last value is always sent. */
  set(address, tag, value) {
    if (!this.connection.isOpen) return;
    this.note(address, value);
    this.unsent.set(address, [tag, value]);
    const wait = this.sentAt + SEND_MS - performance.now();
    if (wait <= 0) this.flush();
    else if (!this.timer) this.timer = setTimeout(() => this.flush(), wait);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.sentAt = performance.now();
    for (const [address, [tag, value]] of this.unsent) this.connection.send(address, tag, value);
    this.unsent.clear();
  }

  /** Sends something that has no value here: a button, a name to load. */
  send(address, tags = "", ...values) {
    this.flush();
    return this.connection.send(address, tags, ...values);
  }

  /**
   * Starts a background job; over(outcome, text) is called when it has ended. The outcome is `done`,
   * with the result as text; `error`, with what failed; `busy` where a newer request has taken its
   * place; or `closed` where the connection has ended. The daemon answers the jobs at one address
   * in their order.
   */
  start(address, over, tags = "", ...values) {
    if (!this.send(address, tags, ...values)) return false;
    const overs = this.jobs.get(address);
    if (overs) overs.push(over);
    else this.jobs.set(address, [over]);
    return true;
  }

  /** Ends the oldest job at an address; returns whether there was one. */
  endJob(address, outcome, text = "") {
    const overs = this.jobs.get(address);
    if (!overs) return false;
    const over = overs.shift();
    if (!overs.length) this.jobs.delete(address);
    over(outcome, text);
    return true;
  }

  /** Asks for the value that an address has now. */
  query(address, ...offset) {
    this.connection.send(address, offset.length ? "i" : "", ...offset);
  }

  /** Returns all entries of a list of the daemon, which answers in pages. */
  async list(address, width) {
    const entries = [];
    for (;;) {
      const [total, , ...page] = await this.answer(address, entries.length);
      if (!page.length) return entries;
      for (let at = 0; at < page.length; at += width) entries.push(page.slice(at, at + width));
      if (entries.length >= total) return entries;
    }
  }

  answer(address, offset) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nemod does not answer")), 5000);
      this.answers.get(address)?.end(null);
      const end = (values) => {
        clearTimeout(timer);
        this.answers.delete(address);
        if (values) resolve(values);
        else reject(new Error("no answer"));
      };
      this.answers.set(address, { offset, end });
      this.query(address, offset);
    });
  }

  receive(address, values) {
    if (address === "/nemo/error") this.failed(...values);
    else if (address === "/nemo/done") {
      this.endJob(values[0], "done", values[1]);
      this.onDone(...values);
    } else if (values.length === 1) this.note(address, values[0]);
    else this.page(address, values);
  }

  /** A page of a list: one that was asked for, or the first of a list that has changed. */
  page(address, values) {
    const [total, offset] = values;
    const waiting = this.answers.get(address);
    // Behind the end of a list that has become shorter, the answer's offset is the end.
    if (waiting && (offset === waiting.offset || total < waiting.offset)) waiting.end(values);
    else if (offset === 0) for (const watcher of this.watchers.get(address) ?? []) watcher();
  }

  /** A refused value: what is in force is shown again. */
  failed(code, address, text) {
    this.unsent.delete(address);
    this.answers.get(address)?.end(null);
    const isOfJob = this.endJob(address, code === "busy" ? "busy" : "error", text);
    const shown = address.replace("/nemo/real/", "/nemo/");
    if (this.watchers.has(shown)) this.query(shown);
    this.onError(code, address, text, isOfJob);
  }

  note(address, value) {
    if (!this.watchers.has(address)) return;
    this.values.set(address, value);
    for (const watcher of this.watchers.get(address)) watcher(value);
  }
}
