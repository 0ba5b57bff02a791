// The page as a whole: which alert is chosen (the address says), what is filtered by, and the keys.

import * as api from "./api.js";
import { Day } from "./day.js";
import { Detail } from "./detail.js";
import { element } from "./draw.js";
import { List } from "./list.js";
import { Live } from "./live.js";

const DAY_EVERY_MS = 30_000;
const PHONE = window.matchMedia("(max-width: 760px)");

const filters = document.querySelector("#filters");
const keys = document.querySelector("#keys");

if (new URLSearchParams(location.search).has("token")) {
  history.replaceState(null, "", `${location.pathname}${location.hash}`); // the cookie has it from now on
}

const list = new List({ wanted });
const detail = new Detail({
  onVerdict(id, verdict) {
    list.update({ id, verdict });
    day.judged(id, verdict);
  },
  onBack: () => choose(null),
});
const day = new Day({
  onChoose: choose,
  onDay: () => filters.elements.day.value && list.load(),
});
const live = new Live({
  onCamera(name) {
    offer(name);
    filters.elements.camera.value = filters.elements.camera.value === name ? "" : name;
    filter();
  },
  onAlerts() {
    list.refresh();
    detail.refresh();
    if (day.isToday) day.load();
  },
});

function wanted() {
  const { camera, kind, verdict, day: time } = filters.elements;
  const [since, until] = time.value ? day.bounds.map((moment) => moment.toISOString()) : [];
  return { camera: camera.value, kind: kind.value, verdict: verdict.value, since, until };
}

/** Have the camera among those to filter by; one that was just added has nothing in the store yet. */
function offer(name) {
  const { camera } = filters.elements;
  if (![...camera.options].some((one) => one.value === name)) camera.append(element("option", { value: name, textContent: name }));
}

function filter() {
  live.press(filters.elements.camera.value);
  return list.load();
}

const chosen = () => decodeURIComponent(location.hash.slice(1)) || null;

/** Go to an alert, or back to the list; the browser's own "back" leads there, too. */
function choose(id) {
  if (id === chosen()) return;
  if (id === null && history.state?.fromList) return history.back();
  if (id === null) history.replaceState(null, "", location.pathname);
  else if (chosen() === null) history.pushState({ fromList: true }, "", `#${encodeURIComponent(id)}`);
  else history.replaceState(history.state, "", `#${encodeURIComponent(id)}`);
  follow();
}

/** Show what the address says. */
function follow() {
  const id = chosen();
  document.body.classList.toggle("chosen", id !== null);
  list.choose(id);
  day.choose(id);
  if (id === null) detail.clear();
  else detail.show(id, list.alerts.find((alert) => alert.id === id));
}

async function go(steps) {
  const alert = await list.beside(steps);
  if (alert) choose(alert.id);
}

const KEYS = {
  j: () => go(1),
  k: () => go(-1),
  n: () => detail.judge.say("normal"),
  r: () => detail.judge.say("real"),
  u: () => detail.judge.say(null),
  h: () => detail.showHeat(!detail.heatShown),
  "[": () => day.move(-1),
  "]": () => day.move(1),
  "?": () => keys.showModal(),
  Enter: () => detail.toggle(),
  " ": () => detail.toggle(),
  ArrowLeft: () => detail.step(-1),
  ArrowRight: () => detail.step(1),
  Escape: () => PHONE.matches && choose(null),
};

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open || !(key in KEYS)) return;
  if (target.closest("select, input, video")) return;
  // Enter on what is focused does what it says; in the list that is to choose, and of the chosen one to play.
  const own = target.closest("button, a");
  if (own && (key === "Enter" || key === " ") && own.getAttribute("aria-current") !== "true") return;
  event.preventDefault();
  KEYS[key]();
});

document.querySelector("#keys-button").addEventListener("click", () => keys.showModal());
filters.addEventListener("change", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
list.place.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(decodeURIComponent(link.hash.slice(1)));
});
window.addEventListener("popstate", follow);
setInterval(() => document.hidden || day.keepUp(), DAY_EVERY_MS);

day.load();
api.cameras().then(
  (names) => names.forEach(offer),
  () => {}, // the list tells what is wrong
);
await list.load();
if (chosen() === null && !PHONE.matches && list.alerts.length) {
  history.replaceState(null, "", `#${encodeURIComponent(list.alerts[0].id)}`);
}
if (chosen() !== null) follow();
