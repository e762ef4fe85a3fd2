// Members and services: what is bad stands first; a row unfolds to all that is known of it.

const SHOWN_MAX = 300;
const RANK = { failed: 0, suspect: 1, leaving: 3, alive: 4, left: 5 };
const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

function memberFeeling(m) {
  return m.degraded && m.status === "alive" ? "warn" : FEELING[m.status] || "info";
}
function memberRank(m) {
  return m.degraded && m.status === "alive" ? 2 : RANK[m.status] ?? 6;
}
function memberText(m) {
  const tags = Object.entries(m.tags).map(([k, v]) => `${k}=${v}`).join(" ");
  return `${m.name} ${m.address} ${m.status} ${m.degraded ? "degraded" : ""} ${tags}`.toLowerCase();
}
function tagChips(tags) {
  const made = el("span", { class: "chips" });
  for (const [key, value] of Object.entries(tags).slice(0, 6))
    made.append(el("span", { class: "chip" }, value ? `${key}=${value}` : key));
  return made;
}
function memberWhy(m) {
  if (m.suspicion) {
    const s = m.suspicion;
    return el("span", { class: "why warn" }, `accused by ${s.accusers.slice(0, 4).join(", ")}`,
      s.confirmations ? ` (${s.confirmations} confirmed), ` : ", ",
      ticking(s.deadline, "% to refute"));
  }
  if (m.status === "failed")
    return el("span", { class: "why bad" }, m.gone_since ? ticking(m.gone_since, "for %") : "failed");
  if (m.degraded) return el("span", { class: "why warn" }, `degraded: ${m.degraded}`);
  if (m.status === "left" && m.gone_since)
    return el("span", { class: "why quiet" }, ticking(m.gone_since, "% ago"));
  return tagChips(m.tags);
}
function rttCell(m, slowest) {
  const ms = m.rtt_ms ?? (m.ack ? m.ack.rtt_ms : null);
  if (m.self) return el("span", { class: "rtt quiet" }, "this node");
  if (ms === null) return el("span", { class: "rtt quiet" }, "–");
  const bar = svg("svg", { width: 44, height: 5, "aria-hidden": "true" },
    svg("rect", { width: 44, height: 5, rx: 2.5 }),
    svg("rect", { width: Math.max(3, 44 * Math.sqrt(Math.min(1, ms / slowest))), height: 5, rx: 2.5 }));
  return el("span", { class: "rtt", title: "round trip" }, bar, milliseconds(ms));
}
function memberRow(m, isOpen, slowest) {
  const feeling = memberFeeling(m);
  const what = m.degraded && m.status === "alive" ? "degraded" : m.status;
  const button = el("button", {
    type: "button", class: "name", "data-focus": `m:${m.name}`, "aria-expanded": String(isOpen),
    "aria-label": `${m.name}, ${what}`, on: { click: () => unfold("members", m.name) },
  }, mark(feeling), m.name, m.self ? el("span", { class: "us" }, " (here)") : "");
  const row = el("div", { class: "row" }, button,
    el("span", { class: "address mono quiet" }, m.address), rttCell(m, slowest),
    el("span", { class: "heard quiet" }, m.ack && m.status !== "left" ? ticking(m.ack.at, "heard % ago") : ""),
    m.status === "alive" || m.status === "left" ? memberWhy(m)
      : el("span", { class: "why" }, el("b", null, m.status), " ", memberWhy(m)));
  const made = el("li", { class: `member ${m.status}`, "data-member": m.name, "data-status": m.status }, row);
  if (isOpen) made.append(memberDetail(m));
  return made;
}
function pairs(entries) {
  const list = el("dl");
  for (const [term, value] of entries)
    if (value !== null && value !== undefined && value !== "")
      list.append(el("dt", null, term), el("dd", null, value));
  return list;
}
function impactButton(kind, name) {
  return el("div", null, el("button", { type: "button", "data-focus": `i:${kind}:${name}`,
    "aria-label": `What would be lost without ${name}`,
    on: { click: () => showImpact(kind, name) } }, "What if it goes?"));
}
function memberDetail(m) {
  const s = m.suspicion;
  const box = el("div", { class: "detail" }, pairs([
    ["status", m.status], ["address", el("span", { class: "mono" }, m.address)],
    ["in this state", m.since ? ticking(m.since, "for %") : null],
    ["round trip", m.rtt_ms === null ? null : `${milliseconds(m.rtt_ms)} by coordinates`],
    ["last ack", m.ack ? el("span", null, ticking(m.ack.at, "% ago"), `, in ${milliseconds(m.ack.rtt_ms)}`) : null],
    ["incarnation", m.incarnation], ["degraded", m.degraded],
    ["accused by", s ? s.accusers.join(", ") : null],
    ["suspected", s ? ticking(s.since, "for %") : null],
    ["tags", Object.keys(m.tags).length ? tagChips(m.tags) : null]]));
  const own = [];
  for (const service of state.services.values())
    for (const one of service.instances || []) if (one.node === m.name) own.push([service.name, one]);
  if (own.length) box.append(el("ul", { class: "instances" },
    ...own.slice(0, 50).map(([name, one]) => instanceItem(one, name))));
  box.append(impactButton("node", m.name));
  return box;
}

function serviceFeeling(s) {
  if (s.guarded) return "bad";
  if (!s.passing) return "bad";
  return s.critical || s.warning || s.doubtful ? "warn" : "good";
}
function serviceText(s) {
  const nodes = (s.instances || []).map((one) => `${one.node} ${one.id} ${one.address}`).join(" ");
  return `${s.name} ${s.tags.join(" ")} ${s.needs.join(" ")} ${nodes}`.toLowerCase();
}
function serviceRow(s, isOpen) {
  const feeling = serviceFeeling(s), total = s.passing + s.warning + s.critical;
  const words = s.guarded ? "guarded: so much was lost at once that it is kept, doubtful"
    : s.doubtful ? `${s.doubtful} doubtful` : "";
  const button = el("button", {
    type: "button", class: "name", "data-focus": `s:${s.name}`, "aria-expanded": String(isOpen),
    "aria-label": `${s.name}, ${s.passing} of ${total} passing`,
    on: { click: () => unfold("services", s.name) },
  }, mark(feeling), s.name);
  const rest = el("span", { class: "chips" }, words ? el("span", { class: "why warn" }, words) : "",
    ...s.tags.slice(0, 6).map((tag) => el("span", { class: "chip" }, tag)),
    s.needs.length ? el("span", { class: "quiet" }, `needs ${s.needs.join(", ")}`) : "");
  const made = el("li", { class: `service ${!s.passing ? "critical" : ""}`, "data-service": s.name },
    el("div", { class: "row" }, button,
      el("span", { class: "share" }, shareBar(s.passing, s.warning, s.critical), `${s.passing} of ${total}`), rest));
  if (isOpen) {
    const box = el("div", { class: "detail" });
    if (s.instances) box.append(el("ul", { class: "instances" },
      ...s.instances.slice(0, SHOWN_MAX).map((one) => instanceItem(one, s.name))));
    else box.append(el("p", { class: "quiet" }, "asking for its instances"));
    box.append(impactButton("service", s.name));
    made.append(box);
  }
  return made;
}
function instanceItem(one, service) {
  const feeling = FEELING[one.status] || "info";
  const label = one.id === service ? one.node : `${one.node} / ${one.id}`;
  const item = el("li", { class: feeling }, el("div", null, mark(feeling), el("b", null, label), " ",
    el("span", { class: "mono quiet" }, `${one.address}:${one.port}`), " ",
    one.status === "passing" ? "" : `${one.status} `,
    one.maintenance ? el("span", { class: "why warn" }, `in maintenance: ${one.maintenance} `) : "",
    one.draining ? el("span", { class: "why warn" }, "draining ") : "",
    one.doubtful ? el("span", { class: "why warn" }, "doubtful ") : "",
    one.load === undefined ? "" : `load ${one.load} `,
    el("span", { class: "quiet" }, `weight ${one.weight}, known `, ticking(one.learned_at, "for %"))));
  for (const check of one.checks)
    if (check.status !== "passing" || check.output)
      item.append(el("div", { class: check.status === "passing" ? "quiet" : `why ${FEELING[check.status]}` },
        `${check.name || check.id} (${check.kind}) is ${check.status}`,
        check.output ? `: ${check.output.slice(0, 400)}` : ""));
  return item;
}
