import {call} from "./api.js";
import {element, table} from "./format.js";

const $ = (id) => document.getElementById(id);

/** showRules offers the configured limits, and keeps the choice. */
export function showRules(select, rules) {
  const chosen = select.value;
  select.replaceChildren(...rules.map((r) => element("option", {value: r.name}, r.name)));
  if (rules.some((r) => r.name === chosen)) select.value = chosen;
}

const path = () => {
  const rule = encodeURIComponent($("lookup-rule").value);
  // An identifier's parts are percent-encoded where they have commas or slashes of their own. What
  // no path may hold is encoded here.
  const identifier = $("lookup-identifier").value.trim().replace(/[^\w.~!$&'()*+,;=:@/%|-]/gu, encodeURIComponent);
  return `/rate-limits/${rule}/${identifier}`;
};

function show(...nodes) {
  $("lookup-result").replaceChildren(...nodes);
}

async function lookUp() {
  const answer = await call(path());
  const windows = Array.isArray(answer) ? answer : answer.windows ?? [answer];
  show(table("Windows of this caller", [
    {title: "Limit", number: true, cell: (w) => w.limit},
    {title: "Remaining", number: true, cell: (w) => w.remaining},
    {title: "Reset in seconds", number: true, cell: (w) => w.reset_seconds},
  ], windows));
}

async function attempt(action) {
  show(element("p", {class: "quiet"}, "Asking…"));
  try {
    await action();
  } catch (error) {
    show(element("p", {class: "bad"}, error.message));
  }
}

/** setUpLookup connects the form. */
export function setUpLookup() {
  $("lookup").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(lookUp);
  });
  $("lookup-reset").addEventListener("click", () => {
    if (!$("lookup").reportValidity()) return;
    attempt(async () => {
      await call(path(), {method: "DELETE"});
      await lookUp();
      $("lookup-result").prepend(element("p", {class: "good"}, "Reset: this caller has its whole limit again."));
    });
  });
}
