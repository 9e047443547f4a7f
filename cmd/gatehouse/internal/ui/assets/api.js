const key = document.querySelector('meta[name="gatehouse-key"]').content;

/** ApiError is an answer of the admin API that isn't a success. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** call asks the admin API through the page's own server. */
export async function call(path, options = {}) {
  const response = await fetch("/api" + path, {
    ...options, headers: {"x-gatehouse-ui": key}, signal: AbortSignal.timeout(6000), cache: "no-store",
  });
  const text = await response.text();
  let value = null;
  try {
    value = text === "" ? null : JSON.parse(text);
  } catch {
    throw new ApiError(response.status, "the answer is no JSON");
  }
  if (!response.ok && !(path === "/ready" && response.status === 503)) {
    throw new ApiError(response.status, value?.detail ?? response.statusText);
  }
  return value;
}
