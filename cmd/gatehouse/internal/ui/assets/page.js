import {ApiError, call} from "./api.js";
import {element, rate, span, table, visible} from "./format.js";
import {Chart, History} from "./series.js";
import {setUpLookup, showRules} from "./lookup.js";
import {showRefusals} from "./refusals.js";
import {rates, totals, values} from "./stats.js";

const pollSeconds = 2;
const keepPoints = 300; // ten minutes

const $ = (id) => document.getElementById(id);
const decisions = {history: new History(keepPoints), chart: new Chart($("decisions"), "/s"), text: $("decisions-text")};
const callers = {history: new History(keepPoints), chart: new Chart($("callers"), "/s"), text: $("callers-text")};
const latency = {history: new History(keepPoints), chart: new Chart($("latency"), "ms"), text: $("latency-text")};

let previous = null; // the last statistics and their time
let succeeded = 0; // when the admin API last answered
let paused = false;

function state(name, text) {
  const node = $("state");
  if (node.dataset.state !== name || node.textContent !== text) {
    node.dataset.state = name;
    node.textContent = text;
  }
}

/** draw adds a point to a chart, and says the same in words. */
function draw(chart, now, points, unit) {
  chart.history.add(now, points);
  chart.chart.draw(chart.history);
  const parts = Object.entries(points).filter(([, v]) => v > 0).map(([name, v]) => `${visible(name)} ${rate(v)}`);
  chart.text.textContent = parts.length ? `Now: ${parts.join(", ")} ${unit}` : "No requests in the last moments.";
}

function showTotals(snapshot) {
  const rows = [
    ["verified", snapshot.tokens_validated], ["refused", snapshot.tokens_failed],
    ["success", snapshot.total_tokens ? `${snapshot.success_rate.toFixed(2)} %` : "–"],
    ["mean", `${snapshot.validation_time_avg_ms.toFixed(3)} ms`], ["p95", `${snapshot.validation_time_p95_ms.toFixed(3)} ms`],
    ["p99", `${snapshot.validation_time_p99_ms.toFixed(3)} ms`], ["since", span(snapshot.uptime_seconds)],
  ];
  $("totals").replaceChildren(...rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function showLimits(stats, before, seconds) {
  const rules = new Map();
  const row = (rule) => {
    if (!rules.has(rule)) rules.set(rule, {rule, admitted: 0, limited: 0, other: 0, evictions: 0});
    return rules.get(rule);
  };
  const now = rates(stats, before, seconds);
  for (const {labels, value} of values(now, "gatehouse_rate_limit_decisions_total")) {
    const r = row(labels.rule);
    if (labels.decision === "admitted") r.admitted += value;
    else if (labels.decision === "limited" || labels.decision === "shadow_limited") r.limited += value;
    else r.other += value;
  }
  for (const {labels, value} of values(stats, "gatehouse_rate_limit_evictions_total")) row(labels.rule).evictions = value;
  const rows = [...rules.values()].sort((a, b) => b.limited - a.limited || (a.rule < b.rule ? -1 : 1));
  $("limits").replaceChildren(rows.length === 0 ? element("p", {class: "quiet"}, "No limit has met a request yet.") :
    table("Limits", [
      {title: "Limit", cell: (r) => r.rule},
      {title: "admitted /s", number: true, cell: (r) => rate(r.admitted)},
      {title: "limited /s", number: true, cell: (r) => rate(r.limited)},
      {title: "errors /s", number: true, cell: (r) => rate(r.other)},
      {title: "evictions", number: true, cell: (r) => r.evictions},
    ], rows));
}

function showKeys(stats, ready) {
  const ages = values(stats, "gatehouse_jwks_age_seconds");
  const word = ready.ready === false ? element("p", {class: "bad"}, "A provider has no keys: its requests get 503.") :
    element("p", {class: "good"}, "Every provider has keys.");
  $("keys").replaceChildren(word, ages.length === 0 ? element("p", {class: "quiet"}, "No JWK Set is fetched.") :
    table("JWK Sets", [
      {title: "Provider", cell: (a) => a.labels.provider},
      {title: "Age", number: true, cell: (a) => span(a.value)},
    ], ages));
}

async function refresh() {
  const [snapshot, stats, ready, refusals] = await Promise.all(
    [call("/metrics"), call("/stats"), call("/ready"), call("/refusals")]);
  const now = Date.now() / 1000;
  const seconds = previous ? now - previous.now : pollSeconds;
  const before = previous?.stats ?? stats;
  showTotals(snapshot);
  draw(decisions, now, totals(rates(stats, before, seconds), "gatehouse_requests_total", "decision"), "requests/s");
  draw(callers, now, totals(rates(stats, before, seconds), "gatehouse_callers_total", "caller"), "requests/s");
  const times = {mean: snapshot.validation_time_avg_ms, p95: snapshot.validation_time_p95_ms, p99: snapshot.validation_time_p99_ms};
  latency.history.add(now, times);
  latency.chart.draw(latency.history);
  latency.text.textContent = snapshot.total_tokens ? `Since the last reset: p99 ${times.p99.toFixed(3)} ms.` : "No token yet.";
  showLimits(stats, before, seconds);
  showKeys(stats, ready);
  showRefusals($("refusals"), refusals);
  previous = {now, stats};
}

async function loadConfig() {
  const config = await call("/config");
  $("build").textContent = `Version ${visible(config.version)}, configuration ${visible(config.config_hash)}`;
  $("config").textContent = visibleLines(JSON.stringify(config, null, 2));
  showRules($("lookup-rule"), config.config.rate_limits ?? []);
}

/** visibleLines keeps line ends and makes all else visible. */
function visibleLines(text) {
  return text.split("\n").map(visible).join("\n");
}

async function poll() {
  if (!paused) {
    try {
      if (succeeded === 0 || $("state").dataset.state === "failed" || $("state").dataset.state === "stale") await loadConfig();
      await refresh();
      succeeded = Date.now();
      state("live", "Live");
    } catch (error) {
      const reason = error instanceof ApiError ? error.message : "this page's server is gone";
      const age = succeeded ? `, figures are ${span((Date.now() - succeeded) / 1000)} old` : "";
      state(succeeded ? "stale" : "failed", `${succeeded ? "Stale" : "Failed"}: ${visible(reason)}${age}`);
    }
  }
  setTimeout(poll, pollSeconds * 1000);
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Go on" : "Pause";
  state(paused ? "paused" : "loading", paused ? "Paused" : "Loading…");
});
setUpLookup();
poll();
