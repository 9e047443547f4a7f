// The admin API's /stats: counters and gauges, each a list of {name, labels, value}.

/** values are the entries of one metric. */
export function values(stats, name) {
  return [...stats.counters, ...stats.gauges].filter((m) => m.name === name);
}

const identity = (m) => m.name + "\n" + Object.entries(m.labels ?? {}).sort().map(([k, v]) => `${k}=${v}`).join("\n");

/** rates are what counters gained a second since an earlier answer. A counter that went down began anew. */
export function rates(stats, before, seconds) {
  const old = new Map(before.counters.map((m) => [identity(m), m.value]));
  return {gauges: stats.gauges, counters: stats.counters.map((m) => {
    const gained = m.value - (old.get(identity(m)) ?? 0);
    return {...m, value: Math.max(gained < 0 ? m.value : gained, 0) / Math.max(seconds, 0.001)};
  })};
}

/** totals adds up one metric by one of its labels. */
export function totals(stats, name, label) {
  const out = {};
  for (const m of values(stats, name)) out[m.labels[label]] = (out[m.labels[label]] ?? 0) + m.value;
  return out;
}
