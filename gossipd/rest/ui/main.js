// What is known, and how it gets onto the page: the stream changes the state, a moment later
// what of the page shows it is drawn anew.

const LINES_MAX = 400, DRAW_MS = 40;
const state = { node: null, members: new Map(), services: new Map(), lines: [], life: "" };
const open = { members: new Set(), services: new Set() };
let query = "", onlyProblems = false, drawing = null;

function take(kind, data) {
  if (kind === "state") {
    state.members = new Map(data.members.map((m) => [m.name, m]));
    state.services = new Map(data.services.map((s) => [s.name, s]));
    takeNode(data.node);
  } else if (kind === "node") takeNode(data);
  else if (kind === "member") { if (data.gone) state.members.delete(data.name); else takeMember(data); }
  else if (kind === "service") { if (data.gone) state.services.delete(data.name); else state.services.set(data.name, data); }
  else if (kind === "happened") takeLine(data);
  else if (kind === "lost") takeLine({ number: `lost-${Date.now()}`, at: clock.now(), kind: "withheld", level: "warn",
    text: `${data.count} lines before this one are lost`, why: "this page read too slowly, or was away too long" });
  drawSoon();
}
function takeNode(node) {
  clock.skew = node.now - Date.now() / 1000;
  if (state.life !== node.life) { state.life = node.life; state.lines = []; }
  state.node = node;
}
function takeMember(m) {
  const before = state.members.get(m.name);
  if (m.status === "failed" && (!before || before.status !== "failed")) announce(`${m.name} failed`);
  else if (before && before.status === "failed" && m.status === "alive") announce(`${m.name} is back`);
  state.members.set(m.name, m);
}
function takeLine(line) {
  if (state.lines.some((each) => each.number === line.number)) return;
  state.lines.push(line);
  if (state.lines.length > LINES_MAX) state.lines.shift();
}
function announce(words) { byId("announced").textContent = words; }

// -- drawing -------------------------------------------------------------------

function drawSoon() {
  if (drawing === null) drawing = setTimeout(() => { drawing = null; draw(); }, DRAW_MS);
}
function draw() {
  if (!state.node) return;
  byId("us").textContent = `at ${state.node.name}`;
  document.title = `${state.node.members.failed ? `(${state.node.members.failed} failed) ` : ""}gossipd at ${state.node.name}`;
  drawTiles();
  drawMembers();
  drawServices();
  drawGraph(state.services, query);
  drawLines();
}
function tile(value, words, feeling) {
  return el("div", { class: `tile ${feeling || ""}` }, el("b", null, value), el("span", null, words));
}
function drawTiles() {
  const counts = { alive: 0, suspect: 0, failed: 0 }, node = state.node;
  for (const m of state.members.values()) counts[m.status] = (counts[m.status] || 0) + 1;
  let sick = 0, instances = 0;
  for (const s of state.services.values()) {
    if (serviceFeeling(s) !== "good") sick += 1;
    instances += s.passing + s.warning + s.critical;
  }
  const degraded = [...state.members.values()].filter((m) => m.degraded).length;
  const key = JSON.stringify([counts, sick, instances, degraded, state.services.size, node.health_score]);
  const tiles = byId("tiles");
  if (tiles.dataset.key === key) return;
  tiles.dataset.key = key;
  tiles.replaceChildren(
    tile(counts.alive, "members alive", counts.failed || counts.suspect ? "" : "good"),
    tile(counts.suspect, "suspected", counts.suspect ? "warn" : ""),
    tile(counts.failed, "failed", counts.failed ? "bad" : ""),
    tile(degraded, "degraded", degraded ? "warn" : ""),
    tile(`${state.services.size - sick} of ${state.services.size}`, `services well, ${instances} instances`, sick ? "warn" : ""),
    tile(node.health_score, "health score (0 is best)", node.health_score ? "warn" : ""));
}
function drawMembers() {
  let found = [...state.members.values()];
  const all = found.length;
  if (query) found = found.filter((m) => memberText(m).includes(query));
  found.sort((a, b) => memberRank(a) - memberRank(b) || byName(a, b));
  let slowest = 5;
  for (const m of found) slowest = Math.max(slowest, m.rtt_ms || 0);
  slowest = 2 ** Math.ceil(Math.log2(slowest));
  const wanted = found.slice(0, SHOWN_MAX).map((m) => {
    const isOpen = open.members.has(m.name);
    return [m.name, JSON.stringify([m, isOpen, slowest, isOpen && servicesOf(m.name)]), () => memberRow(m, isOpen, slowest)];
  });
  reconcile(byId("members-list"), wanted);
  byId("members-count").textContent = query ? `${found.length} of ${all}` : String(all);
  more("members-more", found.length - SHOWN_MAX);
}
function servicesOf(node) {
  const found = [];
  for (const s of state.services.values()) for (const one of s.instances || []) if (one.node === node) found.push(one);
  return found;
}
function drawServices() {
  let found = [...state.services.values()];
  const all = found.length, rank = { bad: 0, warn: 1, good: 2 };
  if (query) found = found.filter((s) => serviceText(s).includes(query));
  found.sort((a, b) => rank[serviceFeeling(a)] - rank[serviceFeeling(b)] || byName(a, b));
  reconcile(byId("services-list"), found.slice(0, SHOWN_MAX).map((s) => {
    const isOpen = open.services.has(s.name);
    if (isOpen && !s.instances) loadInstances(s.name);
    return [s.name, JSON.stringify([isOpen ? s : { ...s, instances: null }, isOpen]), () => serviceRow(s, isOpen)];
  }));
  byId("services-count").textContent = query ? `${found.length} of ${all}` : String(all);
  more("services-more", found.length - SHOWN_MAX);
  if (!all && !byId("services-list").childNodes.length) {
    byId("services-more").hidden = false;
    byId("services-more").textContent = "No service is registered: gossipd register web --port 8080";
  }
}
function more(id, count) {
  byId(id).hidden = count <= 0;
  byId(id).textContent = count > 0 ? `and ${count} more; a search narrows them down` : "";
}
async function loadInstances(name) {
  try {
    const service = await askJson(`/v1/gossipd/service/${encodeURIComponent(name)}`);
    if (state.services.has(name)) { state.services.set(name, service); drawSoon(); }
  } catch (error) { notice(`The instances of ${name} could not be read: ${error.message}`); open.services.delete(name); }
}
function drawLines() {
  let found = state.lines;
  if (onlyProblems) found = found.filter((line) => line.level === "bad" || line.level === "warn");
  if (query) found = found.filter((line) => `${line.text} ${line.why || ""} ${line.kind}`.toLowerCase().includes(query));
  const shown = found.slice(-200).reverse();
  const wanted = shown.map((line) => [line.number, "", () => lineRow(line)]);
  if (!wanted.length) wanted.push(["none", query + onlyProblems, () => el("li", { class: "empty" }, query || onlyProblems ? "Nothing here matches." : "Nothing has happened since the daemon serves this page.")]);
  reconcile(byId("timeline-list"), wanted);
}
function lineRow(line) {
  const when = new Date(line.at * 1000);
  return el("li", { "data-kind": line.kind }, el("time", { datetime: when.toISOString(), title: when.toLocaleString() }, timeOfDay(line.at)),
    mark(line.level), el("div", null, el("p", null, line.text), line.why ? el("p", null, line.why) : ""));
}

// -- what people do ------------------------------------------------------------

function unfold(what, name, stays) {
  if (open[what].has(name) && !stays) open[what].delete(name); else open[what].add(name);
  draw();
  if (!stays) return;
  const row = byId(`${what}-list`).querySelector(`[data-focus="${CSS.escape(`${what[0]}:${name}`)}"]`);
  if (row) { row.focus(); row.scrollIntoView({ block: "center" }); }
}
function notice(words) { byId("notice").hidden = !words; byId("notice").textContent = words; }
async function showImpact(kind, name) {
  byId("impact-title").textContent = `Without the ${kind} ${name}`;
  const body = byId("impact-body");
  body.replaceChildren(el("p", { class: "quiet" }, "asking"));
  byId("impact-dialog").showModal();
  try {
    const found = await askJson(`/v1/gossipd/impact/${kind}/${encodeURIComponent(name)}`);
    const list = el("ul");
    for (const loss of found.losses) list.append(el("li", null, el("b", null, loss.service),
      loss.empty ? " loses all it has" : ` keeps ${loss.left_passing} that pass`,
      ` (${loss.lost.length} lost)`, loss.needed_by.length ? `; needed by ${loss.needed_by.join(", ")}` : ""));
    body.replaceChildren(found.losses.length ? list : el("p", null, "no service loses anything."),
      found.broken.length ? el("p", { class: "why bad" }, `Broken without it: ${found.broken.join(", ")}`) : el("p", { class: "quiet" }, "Nothing else breaks."));
  } catch (error) { body.replaceChildren(el("p", null, `That could not be asked: ${error.message}`)); }
}
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").setAttribute("aria-label", theme === "dark" ? "Switch to light" : "Switch to dark");
}
function begin() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => sessionStorage.getItem("gossipd-theme");
  setTheme(chosen() || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { if (!chosen()) setTheme(dark.matches ? "dark" : "light"); });
  byId("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    sessionStorage.setItem("gossipd-theme", next);
    setTheme(next);
  });
  const search = byId("search");
  search.addEventListener("input", () => { query = search.value.trim().toLowerCase(); drawSoon(); });
  document.addEventListener("keydown", (e) => {
    const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName || "");
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey) { e.preventDefault(); search.focus(); search.select(); }
    if (e.key === "Escape" && document.activeElement === search) { search.value = ""; query = ""; search.blur(); drawSoon(); }
  });
  byId("only-problems").addEventListener("click", (e) => {
    onlyProblems = !onlyProblems;
    e.currentTarget.setAttribute("aria-pressed", String(onlyProblems));
    drawLines();
  });
  byId("impact-close").addEventListener("click", () => byId("impact-dialog").close());
  byId("token-dialog").addEventListener("cancel", (e) => e.preventDefault());
  const link = new Link(take, (feeling, words) => {
    const pill = byId("link");
    pill.className = `pill ${feeling}`;
    pill.textContent = words;
    document.body.classList.toggle("away", feeling === "bad");
  }, notice);
  addEventListener("online", () => link.hurry());
  setInterval(tick, 500);
  link.run();
}
begin();
