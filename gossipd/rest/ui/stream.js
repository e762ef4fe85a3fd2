// The one stream that the page lives on: read by fetch, because EventSource sends no token.

const TOKEN_KEY = "gossipd-token", QUIET_SECONDS = 12, WAIT_MAX = 15;
const WRONG_TOKEN = "Permission denied";  // with 403; other refusals say what else is wrong

function headers() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}
async function askJson(path) {
  const reply = await fetch(path, { headers: headers(), cache: "no-store" });
  if (!reply.ok) throw new Error((await reply.text()) || `status ${reply.status}`);
  return reply.json();
}

// Takes text as it comes and calls `take(kind, data, id)` for each whole event.
class EventReader {
  constructor(take) { this.take = take; this.parts = []; }
  read(text) {
    this.parts.push(text);
    if (!text.includes("\n")) return;  // a long line is joined once, when it ends
    const blocks = this.parts.join("").split("\n\n");
    this.parts = [blocks.pop()];
    for (const block of blocks) {
      let kind = "message", id = "";
      const data = [];
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        if (colon <= 0) continue;
        const key = line.slice(0, colon), value = line.slice(colon + 1).replace(/^ /, "");
        if (key === "event") kind = value;
        else if (key === "data") data.push(value);
        else if (key === "id") id = value;
      }
      if (data.length) this.take(kind, JSON.parse(data.join("\n")), id);
    }
  }
}

class Link {
  constructor(take, show, complain) {
    this.take = take;     // (kind, data)
    this.show = show;     // (feeling, words)
    this.complain = complain;  // (words), none when it is over
    this.refusal = "";
    this.lastId = "";
    this.failures = 0;
    this.wake = null;
  }
  async run() {
    for (;;) {
      try {
        await this.follow();
      } catch (error) {
        if (error.needsToken) {
          this.show("warn", "token needed");
          await askForToken(error.message);
          this.failures = 0;
          continue;
        }
        this.refuse(error.refusal || "");
      }
      await this.pause();
    }
  }
  async follow() {
    const stop = new AbortController();
    let watch = setTimeout(() => stop.abort(), QUIET_SECONDS * 1000);
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => stop.abort(), QUIET_SECONDS * 1000);
    };
    try {
      const sent = headers();
      if (this.lastId) sent["Last-Event-ID"] = this.lastId;
      const reply = await fetch("/v1/gossipd/events?state&backlog=200",
        { headers: sent, cache: "no-store", signal: stop.signal });
      if (!reply.ok) throw refusalOf(reply.status, (await reply.text()).trim());
      const events = new EventReader((kind, data, id) => {
        if (id) this.lastId = id;
        if (kind === "state") { this.failures = 0; this.refuse(""); this.show("good", "live"); }
        this.take(kind, data);
      });
      const reader = reply.body.getReader(), decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        events.read(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(watch);
      stop.abort();
    }
  }
  // longer each time, and not the same for all pages that lost the daemon together
  async pause() {
    const seconds = Math.min(WAIT_MAX, 0.4 * 2 ** this.failures) * (0.7 + 0.6 * Math.random());
    this.failures = Math.min(this.failures + 1, 10);
    if (this.refusal) this.show("bad", "refused");
    else this.show("bad", seconds < 1 ? "reconnecting" : `away, trying again in ${Math.round(seconds)} s`);
    await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, seconds * 1000); });
  }
  refuse(words) {
    if (words === this.refusal) return;
    this.refusal = words;
    this.complain(words && `The daemon refuses this page: ${words}`);
  }
  hurry() { if (this.wake) this.wake(); }
}

function refusalOf(status, text) {
  const needsToken = status === 401 || (status === 403 && text === WRONG_TOKEN);
  const words = status === 403 ? "That token does not allow to read." : "";
  return Object.assign(new Error(needsToken ? words : text),
    { needsToken, refusal: needsToken ? "" : text || `status ${status}` });
}

function askForToken(why) {
  const dialog = byId("token-dialog"), field = byId("token");
  byId("token-why").textContent = why || "It is kept in this tab only, until it is closed.";
  field.value = "";
  if (!dialog.open) dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    byId("token-form").addEventListener("submit", () => {
      sessionStorage.setItem(TOKEN_KEY, field.value.trim());
      field.value = "";
      resolve();
    }, { once: true });
  });
}
