// The day of each camera: how unusual each minute was, when the camera was not live, and its alerts.

import * as api from "./api.js";
import { colour, element, onColours, sheet } from "./draw.js";
import { bounds, dayText, timeOf, times } from "./words.js";

const MINUTE_MS = 60_000;
const HIGHEST = 2; // thresholds, at the top of a strip
const NEAR_PX = 12; // of an alert's mark
const MARKS_PX = 14; // at the top of a strip, for the marks

export class Day {
  /** `onChoose(id)`: an alert's mark was pressed. `onDay()`: another day is shown. */
  constructor({ onChoose, onDay }) {
    this.onChoose = onChoose;
    this.onDay = onDay;
    this.input = document.querySelector("#day");
    this.place = document.querySelector("#strips");
    this.cameras = [];
    this.chosen = null;
    this.input.value = dayText(new Date());
    this.wasToday = true;
    this.input.addEventListener("change", () => this.show(this.input.value || dayText(new Date())));
    document.querySelector("#day-before").addEventListener("click", () => this.move(-1));
    document.querySelector("#day-after").addEventListener("click", () => this.move(1));
    this.today = document.querySelector("#today");
    this.today.addEventListener("click", () => this.show(dayText(new Date())));
    new ResizeObserver(() => this.draw()).observe(this.place);
    onColours(() => this.draw());
  }

  get bounds() {
    return bounds(this.input.value);
  }

  get isToday() {
    return this.input.value === dayText(new Date());
  }

  /** What is new of today; at midnight a page that shows today goes on to the next day. */
  keepUp() {
    if (this.isToday) return this.load();
    return this.wasToday ? this.show(dayText(new Date())) : null;
  }

  move(days) {
    this.show(dayText(bounds(this.input.value, days)[0]));
  }

  show(text) {
    this.input.value = text;
    this.wasToday = this.isToday;
    this.onDay();
    return this.load();
  }

  async load() {
    this.today.hidden = this.isToday;
    this.loading?.abort();
    this.loading = new AbortController();
    try {
      this.cameras = await api.day(...this.bounds, this.loading.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.cameras = [];
      this.place.replaceChildren(note(error.message));
      return;
    }
    this.lay();
  }

  choose(id) {
    this.chosen = id;
    this.draw();
  }

  judged(id, verdict) {
    for (const camera of this.cameras) {
      for (const alert of camera.alerts) if (alert.id === id) alert.verdict = verdict;
    }
    this.draw();
  }

  lay() {
    const rows = this.cameras.map((camera) => {
      const canvas = element("canvas", { role: "img" });
      canvas.setAttribute("aria-label", `${camera.name}: ${camera.alerts.length} alerts this day`);
      canvas.addEventListener("click", (event) => this.press(camera, canvas, event));
      canvas.addEventListener("pointermove", (event) => this.point(camera, canvas, event));
      return element("div", { className: "strip" }, element("span", { className: "name", textContent: camera.name, title: camera.name }), canvas);
    });
    const hours = element("div", { className: "strip hours" }, element("span"), element("canvas", { ariaHidden: "true" }));
    this.place.replaceChildren(...(rows.length ? [...rows, hours] : [note("Nothing is known of any camera yet.")]));
    this.draw();
  }

  draw() {
    const canvases = [...this.place.querySelectorAll("canvas")];
    if (canvases.length !== this.cameras.length + 1) return;
    const [since, until] = this.bounds;
    this.cameras.forEach((camera, index) => drawStrip(canvases[index], camera, since, until, this.chosen));
    drawHours(canvases.at(-1), since, until);
  }

  nearest(camera, canvas, event) {
    const [since, until] = this.bounds;
    const { left, width } = canvas.getBoundingClientRect();
    const x = event.clientX - left;
    const distance = (alert) => Math.abs(((new Date(alert.started_utc) - since) / (until - since)) * width - x);
    const found = camera.alerts.reduce((best, one) => (best && distance(best) <= distance(one) ? best : one), null);
    return found && distance(found) <= NEAR_PX ? found : null;
  }

  press(camera, canvas, event) {
    const found = this.nearest(camera, canvas, event);
    if (found) this.onChoose(found.id);
  }

  point(camera, canvas, event) {
    const found = this.nearest(camera, canvas, event);
    const text = found ? `${timeOf(found.started_utc)} ${found.kind} ${times(found.level)}` : "";
    if (canvas.title !== text) canvas.title = text;
  }
}

const note = (text) => element("p", { className: "note", textContent: text });

function drawStrip(canvas, camera, since, until, chosen) {
  const { context, width, height } = sheet(canvas);
  const x = (moment) => ((moment - since) / (until - since)) * width;
  const floor = height - 2;
  const y = (level) => floor - (Math.min(level, HIGHEST) / HIGHEST) * (floor - MARKS_PX);
  for (const [from, to] of pauses(camera.states, since, until)) {
    context.fillStyle = colour("raised");
    context.fillRect(x(from), MARKS_PX, Math.max(1, x(to) - x(from)), height - MARKS_PX);
    context.fillStyle = colour("off");
    context.fillRect(x(from), floor, Math.max(1, x(to) - x(from)), 2);
  }
  const minute = Math.max(1, (width * MINUTE_MS) / (until - since));
  const [usual, unusual] = [colour("bar"), colour("anomaly")];
  for (const [index, level] of camera.minutes) {
    context.fillStyle = level > 1 ? unusual : usual;
    const top = Math.min(y(level), floor - 1);
    context.fillRect((index * MINUTE_MS * width) / (until - since), top, minute, floor - top);
  }
  context.fillStyle = colour("line");
  context.fillRect(0, Math.round(y(1)), width, 1);
  const colours = { anomaly: colour("anomaly"), camera: colour("camera"), drift: colour("drift") };
  for (const alert of camera.alerts.toReversed()) {
    mark(context, x(new Date(alert.started_utc)), colours[alert.kind], alert.verdict, alert.id === chosen);
  }
}

/** A dot: full where nobody has judged or it was real, a ring where it was normal; larger where it is chosen. */
function mark(context, x, fill, verdict, chosen) {
  const radius = chosen ? 5.5 : 3.5;
  context.beginPath();
  context.arc(x, MARKS_PX / 2, radius, 0, 2 * Math.PI);
  context.fillStyle = verdict === "normal" ? colour("card") : fill;
  context.strokeStyle = chosen ? colour("text") : fill;
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

/** Times in which the camera was not live, as far as it is known. */
function pauses(states, since, until) {
  return states
    .map((one, index) => [
      one.state,
      Math.max(since, new Date(one.utc)),
      index + 1 < states.length ? new Date(states[index + 1].utc) : Math.min(until, Date.now()),
    ])
    .filter(([state, from, to]) => state !== "live" && to > from)
    .map(([, from, to]) => [from, to]);
}

function drawHours(canvas, since, until) {
  const { context, width } = sheet(canvas);
  const every = width < 400 ? 6 : width < 800 ? 3 : 2;
  context.fillStyle = colour("soft");
  context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
  context.textBaseline = "top";
  for (let hour = 0; hour <= 24; hour += every) {
    const moment = new Date(since);
    moment.setHours(hour);
    const x = ((moment - since) / (until - since)) * width;
    context.textAlign = hour === 0 ? "left" : hour === 24 ? "right" : "center";
    context.fillText(`${String(hour).padStart(2, "0")}:00`, x, 2);
  }
}
