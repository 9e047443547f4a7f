import {call} from "./api.js";
import {element, table, visible} from "./format.js";

const $ = (id) => document.getElementById(id);
let shown = "";

/** showRefusals lists the last refused requests. It leaves the table alone while nothing has changed, so that focus stays. */
export function showRefusals(node, answer) {
  const events = Array.isArray(answer) ? answer : answer.refusals ?? [];
  const identity = events.map((e) => e.metadata?.event_id).join(" ");
  if (identity === shown && node.childElementCount > 0) return;
  const focused = document.activeElement?.dataset?.event;
  shown = identity;
  node.replaceChildren(events.length === 0 ? element("p", {class: "quiet"}, "Nobody has been refused.") :
    table("Last refusals", [
      {title: "Time", cell: (e) => e.timestamp},
      {title: "Status", number: true, cell: (e) => e.status_code},
      {title: "Reason", cell: (e) => element("button",
        {type: "button", class: "link", "data-event": e.metadata?.event_id, onclick: () => open(e)}, e.metadata?.reason ?? "unknown")},
      {title: "Route", cell: (e) => e.metadata?.route},
      {title: "Caller", long: true, cell: (e) => e.user_id ?? e.client_id ?? e.ip_address},
      {title: "Method", cell: (e) => e.method},
      {title: "Path", long: true, cell: (e) => e.path},
      {title: "User agent", long: true, cell: (e) => e.user_agent},
    ], events));
  if (focused) node.querySelector(`[data-event="${CSS.escape(focused)}"]`)?.focus();
}

async function open(event) {
  $("detail-event").textContent = JSON.stringify(event, null, 2).split("\n").map(visible).join("\n");
  $("detail-why").textContent = "Asking…";
  $("detail").showModal();
  try {
    const answer = await call("/explain", {method: "POST", body: JSON.stringify(event)});
    $("detail-why").textContent = answer.explanation.split("\n").map(visible).join("\n");
  } catch (error) {
    $("detail-why").textContent = visible(error.message);
  }
}

$("detail-close").addEventListener("click", () => $("detail").close());
