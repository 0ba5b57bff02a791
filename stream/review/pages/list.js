// The list of alerts, newest first: a page at a time as it is scrolled, with pictures loaded when they come in sight.

import * as api from "./api.js";
import { element } from "./draw.js";
import { gist, shortTime, times } from "./words.js";

const AHEAD = "800px"; // of what is in sight, loaded beforehand

export class List {
  /** `wanted()`: what is filtered by. */
  constructor({ wanted }) {
    this.wanted = wanted;
    this.place = document.querySelector("#list");
    this.end = document.querySelector("#list-end");
    this.alerts = [];
    this.rows = new Map();
    this.more = false;
    this.chosen = null;
    this.loading = null;
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.next(), {
      rootMargin: AHEAD,
    }).observe(this.end);
    this.place.addEventListener("scroll", () => this.nearEnd() && this.next(), { passive: true });
  }

  nearEnd() {
    return this.place.scrollHeight - this.place.scrollTop - this.place.clientHeight < parseInt(AHEAD);
  }

  /** The first page of what is now filtered by. */
  async load() {
    this.busy?.abort();
    this.busy = new AbortController();
    this.loading = null;
    const found = await this.fetch({}, this.busy.signal);
    if (found) this.begin(found);
  }

  /** One page more, where there is one. */
  next() {
    if (!this.more || !this.alerts.length) return this.loading;
    this.loading ??= this.fetch({ after: this.alerts.at(-1).id }, this.busy.signal).then((found) => {
      this.loading = null;
      if (found) this.append(found);
    });
    return this.loading;
  }

  /** What has begun or changed since the first page was loaded. */
  async refresh() {
    const found = await this.fetch({}, this.busy?.signal);
    if (!found) return;
    const fresh = found.alerts.filter((alert) => !this.rows.has(alert.id));
    if (fresh.length === found.alerts.length) {
      this.begin(found); // nothing in common: perhaps more than a page of new ones
      return;
    }
    for (const alert of found.alerts) this.update(alert);
    this.alerts.unshift(...fresh);
    this.place.prepend(...fresh.map((alert) => this.row(alert)));
    this.say();
  }

  async fetch(more, signal) {
    try {
      return await api.alerts({ ...this.wanted(), ...more }, signal);
    } catch (error) {
      if (error.name !== "AbortError") this.end.textContent = error.message;
      return null;
    }
  }

  begin(found) {
    this.alerts = [];
    this.rows.clear();
    this.place.replaceChildren();
    this.place.scrollTop = 0;
    this.append(found);
  }

  append(found) {
    const fresh = found.alerts.filter((alert) => !this.rows.has(alert.id));
    this.alerts.push(...fresh);
    this.place.append(...fresh.map((alert) => this.row(alert)));
    this.more = found.more;
    this.say();
  }

  say() {
    this.end.textContent = this.alerts.length ? "" : "No alerts here.";
  }

  row(alert) {
    const row = element("li", { className: "row" });
    this.rows.set(alert.id, row);
    this.fill(row, alert);
    return row;
  }

  fill(row, alert) {
    const link = element(
      "a",
      { href: `#${encodeURIComponent(alert.id)}` },
      thumbnail(alert),
      element(
        "div",
        {},
        element(
          "div",
          { className: "line" },
          element("span", { className: `dot ${alert.kind}`, title: alert.kind }),
          element("span", { className: "where", textContent: alert.camera }),
          element("span", { className: "level", textContent: times(alert.level) }),
          element("time", { className: "when", dateTime: alert.started_utc, textContent: shortTime(alert.started_utc) }),
        ),
        element(
          "div",
          { className: "line" },
          element("span", { className: "words", textContent: gist(alert), title: gist(alert) }),
          badge(alert),
        ),
      ),
    );
    if (alert.id === this.chosen) link.setAttribute("aria-current", "true");
    row.replaceChildren(link);
  }

  update(alert) {
    const index = this.alerts.findIndex((one) => one.id === alert.id);
    if (index < 0) return;
    const before = this.alerts[index];
    this.alerts[index] = { ...before, ...alert };
    if (JSON.stringify(before) !== JSON.stringify(this.alerts[index])) this.fill(this.rows.get(alert.id), this.alerts[index]);
  }

  /** Mark the row of this alert, and bring it in sight. */
  choose(id) {
    this.rows.get(this.chosen)?.firstChild.removeAttribute("aria-current");
    this.chosen = id;
    const row = this.rows.get(id);
    row?.firstChild.setAttribute("aria-current", "true");
    row?.scrollIntoView({ block: "nearest" });
  }

  /** The alert so many rows below the chosen one, the nearest there is; null where the list is empty. */
  async beside(steps) {
    const index = this.alerts.findIndex((alert) => alert.id === this.chosen);
    const wanted = Math.max(0, index + steps);
    const coming = wanted >= this.alerts.length - 5 ? this.next() : null;
    if (wanted >= this.alerts.length) await coming;
    return this.alerts[Math.min(wanted, this.alerts.length - 1)] ?? null;
  }
}

function thumbnail(alert) {
  const place = element("div", { className: "thumb" });
  if (alert.thumbnail) {
    const picture = element("img", { src: alert.thumbnail, alt: "", loading: "lazy", decoding: "async", width: 96, height: 56 });
    picture.addEventListener("error", () => picture.remove());
    place.append(picture);
  }
  return place;
}

function badge(alert) {
  if (alert.verdict) return element("span", { className: `verdict ${alert.verdict}`, textContent: alert.verdict });
  return alert.state === "open" ? element("span", { className: "verdict", textContent: "now" }) : null;
}
