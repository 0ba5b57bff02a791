// One alert: its clip beside the peak with the heat map, the score under both, and what it was said to be.

import * as api from "./api.js";
import { Curve, familiesOf } from "./curve.js";
import { element, onColours } from "./draw.js";
import { drawHeat } from "./heat.js";
import { Judge } from "./judge.js";
import { dateOf, gist, KINDS, lengthOf, timeOf, times } from "./words.js";

const STEP_S = 1;

export class Detail {
  /** `onVerdict(id, verdict)`: it was said what an alert was. `onBack()`: the phone's way to the list. */
  constructor({ onVerdict, onBack }) {
    this.place = document.querySelector("#detail");
    this.onBack = onBack;
    this.judge = new Judge(onVerdict);
    this.heatShown = true;
    this.alert = null;
    new ResizeObserver(() => this.drawHeat()).observe(this.place);
    onColours(() => this.drawHeat());
  }

  /** Show what the list knows of an alert at once, and all of it as soon as it is there. */
  async show(id, known) {
    this.loading?.abort();
    const { signal } = (this.loading = new AbortController());
    this.alert = known ?? null;
    this.video = this.curve = this.heat = this.region = null;
    if (known) this.lay(known, []);
    try {
      const alert = await api.alert(id, signal);
      this.alert = alert;
      this.lay(alert, this.body(alert));
      this.region = alert.files.trace ? null : alert.region; // the trace has the one that goes with the picture
      if (alert.files.trace) await this.take(alert, await api.trace(alert.files.trace, signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      const note = element("p", { className: "note", role: "status", textContent: error.message });
      if (this.alert?.files) this.place.append(note);
      else this.place.replaceChildren(note);
    }
  }

  /** Its state may have changed; what plays goes on. */
  async refresh() {
    if (this.alert?.state === "open" && !this.isPlaying) await this.show(this.alert.id, this.alert);
  }

  get isPlaying() {
    return Boolean(this.video && !this.video.paused);
  }

  clear() {
    this.loading?.abort();
    this.alert = this.video = null;
    this.place.replaceChildren(element("p", { className: "note", textContent: "Choose an alert." }));
  }

  lay(alert, body) {
    const back = element("button", { className: "quiet back", type: "button", textContent: "‹", onclick: this.onBack });
    back.setAttribute("aria-label", "Back to the list");
    const level = times(alert.level);
    const header = element(
      "header",
      {},
      back,
      element("h2", { textContent: alert.camera }),
      element("span", { className: `kind ${alert.kind}`, textContent: level ? `${KINDS[alert.kind]} ${level}` : KINDS[alert.kind] }),
      element("time", { className: "soft", dateTime: alert.started_utc, textContent: `${dateOf(alert.started_utc)}, ${timeOf(alert.started_utc)}` }),
      element("p", { className: "said", textContent: gist(alert) }),
    );
    this.place.replaceChildren(header, ...body);
    this.place.scrollTop = 0;
  }

  body(alert) {
    const { picture, clean, clip, strip } = alert.files;
    const left = clip ? this.clip(alert) : null;
    const right = clean ? this.peak(alert) : picture ? shown(picture, "The peak, with the place that was unusual") : null;
    const figures = [left, right].filter(Boolean);
    const stage = element("div", { className: figures.length === 1 ? "stage one" : "stage" }, ...figures);
    this.curvePlace = element("figure", { className: "curve", hidden: true });
    return [
      this.judge.buttons(alert),
      stage,
      !clip && alert.clip_expected ? element("p", { className: "note", textContent: "Its clip is not there." }) : null,
      this.curvePlace,
      strip ? element("div", { className: "strip-picture" }, shown(strip, "Five moments")) : null,
      facts(alert),
    ].filter(Boolean);
  }

  clip(alert) {
    const { clip, clean, picture } = alert.files;
    const video = element("video", { controls: true, muted: true, playsInline: true, preload: "metadata", src: clip });
    if (clean ?? picture) video.poster = clean ?? picture;
    const caption = element("figcaption", { textContent: "Clip" });
    video.addEventListener("loadedmetadata", () => {
      video.style.setProperty("--shape", `${video.videoWidth} / ${video.videoHeight}`);
      if (Number.isFinite(video.duration)) caption.textContent = `Clip, ${lengthOf(video.duration)}`; // else it still grows
    });
    video.addEventListener("error", () => (caption.textContent = "The clip cannot be played here."));
    for (const event of ["play", "seeked", "timeupdate"]) video.addEventListener(event, () => this.follow());
    this.video = video;
    return element("figure", {}, video, caption);
  }

  peak(alert) {
    const picture = element("img", { src: alert.files.clean, alt: `The peak at ${alert.camera}: ${gist(alert)}` });
    this.heatCanvas = element("canvas", { ariaHidden: "true" });
    picture.addEventListener("load", () => this.drawHeat());
    const box = element("input", { type: "checkbox", checked: this.heatShown, id: "heat" });
    box.addEventListener("change", () => this.showHeat(box.checked));
    const caption = element("figcaption", {}, "Peak", element("label", {}, box, "Heat map", element("kbd", { textContent: "h" })));
    return element("figure", {}, element("div", { className: "over" }, picture, this.heatCanvas), caption);
  }

  async take(alert, trace) {
    if (this.alert !== alert) return;
    this.heat = trace.heat ?? null;
    this.region = trace.region ?? null;
    this.drawHeat();
    if (trace.times_s.length < 2) return;
    const canvas = element("canvas", { role: "img" });
    canvas.setAttribute("aria-label", `Score: up to ${times(alert.level)} the threshold`);
    const families = familiesOf(trace).map(({ name, colour }) => {
      const key = element("span", { className: "key", textContent: name });
      key.style.setProperty("--kind", `var(--${colour})`);
      return key;
    });
    this.curvePlace.replaceChildren(canvas, element("figcaption", {}, "Score, in thresholds", ...families));
    this.curvePlace.hidden = false;
    this.curve = new Curve(canvas, trace, alert, (time) => this.seek(time));
    this.follow();
  }

  drawHeat() {
    if (this.heatCanvas?.isConnected) drawHeat(this.heatCanvas, this.heat, this.region, this.heatShown);
  }

  showHeat(shown) {
    this.heatShown = shown;
    const box = this.place.querySelector("#heat");
    if (box) box.checked = shown;
    this.drawHeat();
  }

  /** Keep the curve's line where the clip is, for as long as it plays. */
  follow() {
    if (!this.video || !this.curve || this.alert.clip_start_s === null) return;
    this.curve.moveTo(this.alert.clip_start_s + this.video.currentTime);
    if (this.isPlaying && !this.following) {
      this.following = true;
      requestAnimationFrame(() => {
        this.following = false;
        this.follow();
      });
    }
  }

  seek(streamTime) {
    if (this.video && this.alert.clip_start_s !== null) {
      this.video.currentTime = Math.min(Math.max(0, streamTime - this.alert.clip_start_s), this.video.duration || 0);
    }
  }

  step(direction) {
    if (this.video) this.video.currentTime = Math.max(0, this.video.currentTime + direction * STEP_S);
  }

  toggle() {
    if (!this.video) return;
    if (!this.video.paused) this.video.pause();
    else this.video.play().catch(() => {}); // another alert was chosen meanwhile; what else it may be, its figure tells
  }
}

function shown(address, text) {
  return element("figure", {}, element("img", { src: address, alt: text }), element("figcaption", { textContent: text }));
}

function facts(alert) {
  const rows = {
    "Lasted": alert.state === "open" ? "going on" : lengthOf(alert.lasted_s),
    "Score": `${alert.score.toPrecision(3)}, threshold ${alert.threshold.toPrecision(3)}`,
    "Place": alert.place,
    "Ended because": alert.kind === "anomaly" ? alert.reason : "",
    "Id": alert.id,
  };
  const pairs = Object.entries(rows).filter(([, value]) => value);
  return element(
    "dl",
    { className: "facts" },
    ...pairs.map(([name, value]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }))),
  );
}
