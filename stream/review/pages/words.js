// Times, lengths and kinds as people read them, in the time of the browser.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });

export const KINDS = { anomaly: "anomaly", camera: "camera trouble", drift: "drift" };

export const timeOf = (utc) => clock.format(new Date(utc));

export const dateOf = (utc) => full.format(new Date(utc));

/** The time alone today, else with its date. */
export function shortTime(utc) {
  const moment = new Date(utc);
  const today = moment.toDateString() === new Date().toDateString();
  return today ? clock.format(moment) : `${date.format(moment)} ${clock.format(moment).slice(0, 5)}`;
}

export function lengthOf(seconds) {
  if (seconds === null) return "not known";
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export const times = (level) => (level === null ? "" : `${level < 10 ? level.toFixed(1) : Math.round(level)}×`);

/** What an alert was about, in one line. */
export const gist = (alert) =>
  alert.words || alert.reason || (alert.place ? `unusual, ${alert.place}` : KINDS[alert.kind]);

/** The day as its input has it, `2026-01-31`, in local time. */
export function dayText(moment) {
  const two = (number) => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

/** Beginning and end of a day, and so many days from it; a day with a change of the clock is not 24 hours long. */
export function bounds(text, days = 0) {
  const [year, month, day] = text.split("-").map(Number);
  return [new Date(year, month - 1, day + days), new Date(year, month - 1, day + days + 1)];
}
