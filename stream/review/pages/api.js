// Questions to the server. An answer that is none is an Error whose message is a line for the page.

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server of this page does not answer: is `review` still running?");
  }
  const json = (answer.headers.get("content-type") ?? "").startsWith("application/json");
  const said = json ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Error(json ? said.error : said.trim());
  return said;
}

function withQuery(path, wanted) {
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  return query.size ? `${path}?${query}` : path;
}

export const cameras = () => ask("/api/cameras");

export const alerts = (wanted, signal) => ask(withQuery("/api/alerts", wanted), { signal });

export const alert = (id, signal) => ask(`/api/alerts/${encodeURIComponent(id)}`, { signal });

export const trace = (address, signal) => ask(address, { signal });

export const day = (since, until, signal) =>
  ask(withQuery("/api/day", { since: since.toISOString(), until: until.toISOString() }), { signal });

export const judge = (id, verdict) =>
  ask(`/api/alerts/${encodeURIComponent(id)}/verdict`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ verdict }),
  });
