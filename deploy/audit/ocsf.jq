# Maps Gatehouse's audit events to OCSF 1.3 (https://schema.ocsf.io/1.3.0): one event a line.
#
#   jq -c -f deploy/audit/ocsf.jq audit.log
#
# auth_failure is an Authentication (class 3002) with activity Logon. All other events are an API
# Activity (class 6003), whose activity follows from the method. OCSF has no class for lost events:
# audit_gap is an API Activity with activity Other and severity High.
#
# Values that are null in the event are left out. What OCSF has no attribute for is in unmapped.

def milliseconds: (.[0:19] + "Z" | fromdateiso8601) * 1000 + (.[20:23] | tonumber);
def known: with_entries(select(.value != null and .value != {} and .value != []));

# What the request's method does, as activities of API Activity (1 Create, 2 Read, 3 Update, 4
# Delete).
def activity:
  {POST: [1, "Create"], GET: [2, "Read"], HEAD: [2, "Read"], OPTIONS: [2, "Read"], PUT: [3, "Update"],
   PATCH: [3, "Update"], DELETE: [4, "Delete"]}[. // ""] // [99, "Other"];

def status($event):
  if $event | IN("auth_success", "request") then [1, "Success"]
  elif $event | IN("auth_failure", "access_denied", "rate_limited", "request_error") then [2, "Failure"]
  else [99, "Other"] end;

def severity($event):
  if $event | IN("auth_success", "request") then [1, "Informational"]
  elif $event == "audit_gap" then [4, "High"]
  elif $event | IN("auth_failure", "access_denied", "rate_limited", "request_error") then [2, "Low"]
  else [1, "Informational"] end;

def user:
  {
    uid: (.user_id // .client_id), name: .user_id,
    type_id: (if .is_m2m then 3 elif .user_id then 1 else 0 end),
    type: (if .is_m2m then "System" elif .user_id then "User" else "Unknown" end)
  } | known;

. as $e
| .metadata as $m
| (if .event_type == "auth_failure" then
     {class: 3002, class_name: "Authentication", category: 3, category_name: "Identity & Access Management", activity: [1, "Logon"]}
   else
     {class: 6003, class_name: "API Activity", category: 6, category_name: "Application Activity",
      activity: (if .event_type == "audit_gap" then [99, "Other"] else .method | activity end)}
   end) as $c
| (status(.event_type)) as $s
| (severity(.event_type)) as $v
| {
    activity_id: $c.activity[0], activity_name: $c.activity[1],
    category_uid: $c.category, category_name: $c.category_name,
    class_uid: $c.class, class_name: $c.class_name,
    type_uid: ($c.class * 100 + $c.activity[0]), type_name: ($c.class_name + ": " + $c.activity[1]),
    time: (.timestamp | milliseconds),
    severity_id: $v[0], severity: $v[1],
    status_id: $s[0], status: $s[1],
    status_code: (.status_code | if . == null then null else tostring end),
    status_detail: ($m.reason // $m.would_be // $m.origin),
    duration: $m.duration_ms,
    metadata: {
      version: "1.3.0", uid: $m.event_id, correlation_uid: $m.request_id, event_code: .event_type,
      log_name: "gatehouse_audit", product: {name: "Gatehouse", vendor_name: "Gatehouse"}
    },
    actor: ({user: user, app_uid: .client_id, idp: ({name: $m.issuer} | known)} | known),
    user: (if $c.class == 3002 then user else null end),
    api: (if $c.class == 6003 then {operation: (.method // .event_type), service: ({name: $m.route} | known)} else null end),
    http_request: ({http_method: .method, url: ({path: .path} | known), user_agent: .user_agent, uid: $m.request_id} | known),
    http_response: (if .status_code then {code: .status_code} else null end),
    src_endpoint: (if .ip_address then {ip: .ip_address} else {name: "unknown"} end),
    service: (if $c.class == 3002 then {name: ($m.route // "gatehouse")} else null end),
    is_remote: (if $c.class == 3002 then true else null end),
    unmapped: ({chain: .chain} + ($m | del(.event_id, .reason, .would_be, .origin, .duration_ms, .request_id, .issuer)) | known)
  }
| .metadata |= known
| known
