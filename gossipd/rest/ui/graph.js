// The graph of needs, drawn in layers: who is needed stands below who needs it.

const BOXES_MAX = 120, BOX = { width: 132, height: 42, gapX: 26, gapY: 52 };

function layersOf(names, needs) {
  // longest way from above; an edge back into a circle is left out of the count
  const depth = new Map(), open = new Set();
  const users = new Map(names.map((name) => [name, []]));
  for (const name of names) for (const each of needs(name)) users.get(each).push(name);
  const measure = (name) => {
    if (depth.has(name)) return depth.get(name);
    if (open.has(name)) return -1;
    open.add(name);
    const found = 1 + Math.max(-1, ...users.get(name).map(measure));
    open.delete(name);
    depth.set(name, found);
    return found;
  };
  names.forEach(measure);
  const layers = [];
  for (const name of names) (layers[depth.get(name)] ||= []).push(name);
  return { layers: layers.filter(Boolean), users };
}
// each below the middle of those above it: few edges cross then
function ordered(layers, users) {
  const at = new Map();
  layers.forEach((layer, level) => {
    if (level) {
      const middle = (name) => {
        const above = users.get(name).filter((user) => at.has(user)).map((user) => at.get(user));
        return above.length ? above.reduce((a, b) => a + b, 0) / above.length : 0.5;
      };
      const key = new Map(layer.map((name) => [name, middle(name)]));
      layer.sort((a, b) => key.get(a) - key.get(b) || (a < b ? -1 : 1));
    }
    layer.forEach((name, index) => at.set(name, (index + 0.5) / layer.length));
  });
}
function short(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
function drawGraph(services, query) {
  const box = byId("graph-box"), note = byId("graph-note");
  const wanted = new Set();
  for (const s of services.values()) for (const need of s.needs) { wanted.add(s.name); wanted.add(need); }
  if (query) {
    const near = new Set();
    for (const name of wanted) {
      const needs = services.get(name)?.needs || [];
      const hit = name.toLowerCase().includes(query);
      for (const need of needs)
        if (hit || need.toLowerCase().includes(query)) { near.add(name); near.add(need); }
    }
    for (const name of wanted) if (!near.has(name)) wanted.delete(name);
  }
  const names = [...wanted].sort();
  const facts = names.map((name) => {
    const s = services.get(name);
    return [name, s ? [s.passing, s.warning, s.critical, s.doubtful, s.guarded, s.needs] : null];
  });
  const signature = JSON.stringify(facts);
  if (box.dataset.signature === signature && box.childNodes.length) return;
  box.dataset.signature = signature;
  const refocus = box.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  if (!names.length || names.length > BOXES_MAX) {
    note.textContent = "";
    box.replaceChildren(el("p", null, names.length ? `${names.length} services are too many to draw; a search narrows them down.`
      : query ? "Nothing here matches." : "No service says what it needs (needs = [\"db\"] in its definition)."));
    return;
  }
  const needs = (name) => (services.get(name)?.needs || []).filter((each) => wanted.has(each));
  const { layers, users } = layersOf(names, needs);
  ordered(layers, users);
  const widest = Math.max(...layers.map((layer) => layer.length));
  const width = widest * (BOX.width + BOX.gapX) + BOX.gapX;
  const height = layers.length * (BOX.height + BOX.gapY) - BOX.gapY + 16;
  const spot = new Map();
  layers.forEach((layer, level) => layer.forEach((name, index) => spot.set(name, {
    x: (width * (index + 0.5)) / layer.length, y: 8 + level * (BOX.height + BOX.gapY) })));
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` },
    svg("defs", null, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      svg("path", { d: "M0 0L8 4L0 8z", class: "arrow" }))));
  for (const name of names) for (const need of needs(name)) {
    const a = spot.get(name), b = spot.get(need), y1 = a.y + BOX.height, bend = BOX.gapY * 0.6;
    const d = b.y > a.y ? `M${a.x} ${y1}C${a.x} ${y1 + bend} ${b.x} ${b.y - bend} ${b.x} ${b.y - 2}`
      : `M${a.x + BOX.width / 2} ${a.y + 21}C${a.x + BOX.width} ${a.y + 60} ${b.x + BOX.width} ${b.y - 20} ${b.x + BOX.width / 2 + 2} ${b.y + 21}`;
    const missing = !(services.get(need)?.passing);
    drawing.append(svg("path", { d, class: `edge ${missing ? "bad" : ""}`, "marker-end": "url(#tip)" }));
  }
  for (const name of names) drawing.append(graphBox(name, services.get(name), spot.get(name)));
  box.replaceChildren(drawing);
  const missing = names.filter((name) => users.get(name).length && !services.get(name)?.passing);
  note.textContent = missing.length ? `needed but not there: ${short(missing.join(", "), 60)}` : "all that is needed is there";
  if (refocus) for (const each of box.querySelectorAll("[data-focus]"))
    if (each.dataset.focus === refocus) each.focus({ preventScroll: true });
}
function graphBox(name, service, { x, y }) {
  const total = service ? service.passing + service.warning + service.critical : 0;
  const words = service ? `${service.passing} of ${total} passing` : "nobody registers it";
  const feeling = service ? serviceFeeling(service) : "bad absent";
  const act = () => { unfold("services", name, true); };
  return svg("g", {
    class: `box ${feeling}`, tabindex: 0, role: "button", "aria-label": `${name}, ${words}`,
    "data-focus": `g:${name}`, transform: `translate(${x - BOX.width / 2} ${y})`,
    on: { click: act, keydown: (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); act(); } } },
  }, svg("title", null, `${name}: ${words}`), svg("rect", { width: BOX.width, height: BOX.height, rx: 9 }),
    svg("text", { x: BOX.width / 2, y: 18 }, short(name, 17)),
    svg("text", { x: BOX.width / 2, y: 33, class: "count" }, words));
}
