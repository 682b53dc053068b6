// The studio's API, and nothing else.
export class Problem extends Error {
  constructor(status, told, wait) {
    super(told.detail ?? String(status));
    this.code = told.code;
    this.wait = Number(wait ?? 0);
  }
}

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})), answer.headers.get("Retry-After"));
  return answer;
}

const json = async (path, options) => (await ask(path, options)).json();
const sent = (body, headers) => ({
  method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers },
});

export const upload = file => json("/v1/uploads", { method: "POST", body: file });
export const mask = what => json("/v1/masks", sent(what));
export const styles = () => json("/v1/styles");
export const schema = () => json("/v1/brief.schema.json");
export const presets = () => json("/v1/presets");
export const jobs = () => json("/v1/jobs");
export const enter = job => json("/v1/jobs", sent(job));
export const stop = id => json(`/v1/jobs/${id}/stop`, { method: "POST" });
export const goOn = id => json(`/v1/jobs/${id}/resume`, { method: "POST" });
export const star = (id, starred) => json(`/v1/jobs/${id}?starred=${starred}`, { method: "PATCH" });
export const remove = id => json(`/v1/jobs/${id}`, { method: "DELETE" });

export const about = id => json(`/v1/uploads/${id}/about`);
export const photoOf = id => `/v1/uploads/${id}`;
export const resultOf = job => `/v1/jobs/${job.id}/result?news=${job.state === "done" ? "" : job.news}`;
export const shownOf = job => `/v1/jobs/${job.id}/preview?number=${job.state}${job.preview}`;
export const thumbnailOf = job => `/v1/jobs/${job.id}/thumbnail?number=${job.state}${job.state === "done" ? "" : job.news}`;

// A look at once, which is not kept; null when it was not painted. A newer one takes its place by `signal`.
export async function look(job, signal) {
  const key = `look-${crypto.randomUUID().slice(0, 23)}`;
  const answer = await ask("/v1/jobs", { ...sent(job, { Prefer: "wait", "Idempotency-Key": key }), signal });
  return answer.headers.get("Content-Type") === "image/png" ? URL.createObjectURL(await answer.blob()) : null;
}

export function follow(after, changed, lost) {
  const source = new EventSource(`/v1/events?after=${after}`);
  source.addEventListener("job", event => changed(JSON.parse(event.data)));
  source.addEventListener("error", () => lost(source.readyState !== EventSource.OPEN));
  source.addEventListener("open", () => lost(false));
}
