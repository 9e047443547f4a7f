/* global uPlot */

/** History keeps the last points of some named series, which may appear at any time. */
export class History {
  constructor(most) {
    this.most = most;
    this.times = [];
    this.values = new Map();
  }

  /** add appends a point; values is an object of numbers by name. */
  add(time, values) {
    for (const name of Object.keys(values)) {
      if (!this.values.has(name)) this.values.set(name, this.times.map(() => 0)); // nothing of it had happened
    }
    this.times.push(time);
    for (const [name, points] of this.values) points.push(values[name] ?? null);
    if (this.times.length > this.most) {
      this.times.shift();
      for (const points of this.values.values()) points.shift();
    }
  }
}

// Colours that stay apart in light and dark, and for people who see few colours; dashes tell lines
// apart without them.
const colours = ["#2f81f7", "#d29922", "#3fb950", "#db61a2", "#8957e5", "#e5534b", "#1b9e9e", "#8a8f98"];
const dashes = [[], [8, 4], [3, 3], [12, 3, 3, 3]];

/** Chart draws a History as lines. */
export class Chart {
  constructor(node, unit) {
    this.node = node;
    this.unit = unit;
    this.names = "";
    this.plot = null;
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(node);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.names = ""; // the plot is made anew, with the colours of the page
      if (this.history) this.draw(this.history);
    });
  }

  size() {
    return {width: Math.max(240, this.node.clientWidth), height: 200};
  }

  draw(history) {
    this.history = history;
    const names = [...history.values.keys()];
    const data = [history.times, ...history.values.values()];
    if (names.join("\n") === this.names && this.plot) {
      this.plot.setData(data);
      return;
    }
    this.names = names.join("\n");
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const axis = {stroke: style.getPropertyValue("--quiet"), grid: {stroke: style.getPropertyValue("--line"), width: 1}};
    this.plot = new uPlot({
      ...this.size(),
      series: [{}, ...names.map((label, i) => ({
        label, stroke: colours[i % colours.length], width: 2, dash: dashes[Math.floor(i / colours.length) % dashes.length],
        value: (_, v) => (v === null ? "–" : `${v.toFixed(2)} ${this.unit}`),
      }))],
      axes: [axis, axis],
      scales: {y: {range: (_, __, max) => [0, Math.max(max ?? 0, 0.001) * 1.1]}},
    }, data, this.node);
  }
}
