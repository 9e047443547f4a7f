// Text from the admin API reaches the page as text nodes alone, never as markup: a path or a user
// agent is a caller's choice.

/** element makes an element with attributes and children, which may be strings. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.map((child) => (child instanceof Node ? child : visible(child))));
  return node;
}

/** visible shows control and direction characters as escapes, so that a text can't hide or reorder what stands beside it. */
export function visible(value) {
  if (value === null || value === undefined) return "–";
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

/** table makes a table of columns, each with a title and a function from a row to its cell. */
export function table(caption, columns, rows) {
  const head = element("tr", {}, ...columns.map((c) => element("th", {scope: "col", class: c.number ? "number" : undefined}, c.title)));
  const body = rows.map((row) => element("tr", {},
    ...columns.map((c) => element("td", {class: c.number ? "number" : c.long ? "long" : undefined}, c.cell(row)))));
  return element("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

/** rate shows a number of requests a second. */
export function rate(value) {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

/** span shows seconds in words. */
export function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}
