// What a service that uses the npm package `consul` does, against HOST PORT; prints JSON.
"use strict";

const Consul = require("consul");

const [host, port] = process.argv.slice(2);
const LONG = "30s";
const client = () => new Consul({ host, port: Number(port) });
const consul = client();

const seenBy = (entries) =>
  entries.map((entry) => [entry.Node.Node, entry.Service.ID, entry.Service.Port]);
const statuses = (checks) =>
  Object.fromEntries(checks.map((check) => [check.CheckID, check.Status]));
const later = (call) => setTimeout(call, 500);

// The package says the index of an answer to its own watch alone: so does this.
function nextChange(options, act) {
  return new Promise((resolve, reject) => {
    const watch = consul.watch({ method: consul.health.service, options, maxAttempts: 3 });
    const began = Date.now();
    let changes = 0;
    watch.on("change", (entries) => {
      changes += 1;
      if (changes === 1) {
        later(() => act().catch(reject));
        return;
      }
      watch.end();
      const seconds = (Date.now() - began) / 1000;
      resolve({ entries, isWoken: seconds > 0.3 && seconds < 15 });
    });
    watch.on("error", (error) => {
      watch.end();
      reject(error);
    });
  });
}

async function refusal(promise) {
  try {
    await promise;
    return "taken";
  } catch (error) {
    return [error.statusCode, error.message];
  }
}

async function main() {
  const shown = { leader: await consul.status.leader() };
  shown.before = await consul.health.service("web");
  await consul.agent.service.register({
    name: "web",
    id: "web-a",
    address: "127.0.0.61",
    port: 9001,
    tags: ["http", "blue"],
    check: { ttl: "60s" },
  });
  let entries = await consul.health.service("web");
  shown.entries = seenBy(entries);
  shown.tags = entries.map((entry) => entry.Service.Tags);
  shown.critical = statuses(entries[0].Checks);
  shown.passing_before = await consul.health.service({ service: "web", passing: true });

  let change = await nextChange({ service: "web", passing: true, wait: LONG }, () =>
    client().agent.check.pass({ id: "service:web-a" }),
  );
  shown.passing = seenBy(change.entries);
  shown.woken_by_pass = change.isWoken;
  shown.unknown_check = await refusal(consul.agent.check.pass("ghost"));
  await consul.agent.check.warn("service:web-a");
  await consul.agent.check.fail("service:web-a");
  shown.checks = statuses(Object.values(await consul.agent.check.list()));
  await consul.agent.check.pass({ id: "service:web-a", note: "fine" });
  shown.output = (await consul.agent.check.list())["service:web-a"].Output;

  await consul.agent.service.maintenance({ id: "web-a", enable: true, reason: "works" });
  shown.in_maintenance = await consul.health.service({ service: "web", passing: true });
  await consul.agent.service.maintenance({ id: "web-a", enable: false });
  shown.own = Object.keys(await consul.agent.service.list()).sort();
  shown.named = (await consul.catalog.service.list()).web;
  shown.one = (await consul.catalog.service.nodes("web")).map((one) => one.ServiceID);

  await consul.agent.check.register({ name: "n1", id: "c1", serviceid: "web-a", ttl: "60s" });
  await consul.agent.check.deregister("c1");
  shown.refused_check = await refusal(
    consul.agent.check.register({ name: "n2", h2ping: "127.0.0.1:1", interval: "5s" }),
  );
  const fired = await consul.event.fire("deploy", "v2");
  shown.fired = [fired.Name, fired.ID];
  shown.listed = (await consul.event.list("deploy")).map((one) => [one.Name, one.ID]);

  change = await nextChange({ service: "web", wait: LONG }, () =>
    client().agent.service.deregister("web-a"),
  );
  shown.gone = change.entries;
  shown.woken_by_deregister = change.isWoken;
  shown.unknown_service = await refusal(consul.agent.service.deregister("web-a"));
  shown.kv = await refusal(consul.kv.set("a", "1"));
  return shown;
}

main().then(
  (shown) => process.stdout.write(JSON.stringify(shown), () => process.exit(0)),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
