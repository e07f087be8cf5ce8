/** Calendars as people choose them, and as the API's iCalendar rules; what is more than these choices stays a rule. */

export const DAYS = [
  ["MO", "Monday"],
  ["TU", "Tuesday"],
  ["WE", "Wednesday"],
  ["TH", "Thursday"],
  ["FR", "Friday"],
  ["SA", "Saturday"],
  ["SU", "Sunday"],
] as const;
const NAMES: Readonly<Record<string, string>> = Object.fromEntries(DAYS);
const CODES: readonly string[] = DAYS.map(([code]) => code);
const WORKING = "MO,TU,WE,TH,FR";

export type Calendar =
  | { kind: "week"; days: readonly string[] }
  /** A day of the month; -1 is the last. */
  | { kind: "month"; day: number }
  | { kind: "once" }
  | { kind: "rule"; rule: string };

export function ruleOf(calendar: Calendar): string {
  switch (calendar.kind) {
    case "week": {
      const days = CODES.filter((code) => calendar.days.includes(code));
      return days.length === CODES.length ? "FREQ=DAILY" : `FREQ=WEEKLY;BYDAY=${days.join(",")}`;
    }
    case "month":
      return `FREQ=MONTHLY;BYMONTHDAY=${calendar.day}`;
    case "once":
      return "FREQ=DAILY;COUNT=1";
    default:
      return calendar.rule.trim();
  }
}

export function calendarOf(rule: string): Calendar {
  if (rule === "FREQ=DAILY") return { kind: "week", days: CODES };
  if (rule === "FREQ=DAILY;COUNT=1") return { kind: "once" };
  const week = /^FREQ=WEEKLY;BYDAY=([A-Z,]+)$/.exec(rule)?.[1]?.split(",");
  if (week?.every((day) => CODES.includes(day))) return { kind: "week", days: week };
  const day = Number(/^FREQ=MONTHLY;BYMONTHDAY=(-1|\d+)$/.exec(rule)?.[1]);
  return day ? { kind: "month", day } : { kind: "rule", rule };
}

/** When it runs, in words: "On working days at 19:00". */
export function inWords(rule: string, startAt: string): string {
  const [first, time] = [startAt.slice(0, 10), startAt.slice(11, 16)];
  const calendar = calendarOf(rule);
  switch (calendar.kind) {
    case "once":
      return `Once, on ${first} at ${time}`;
    case "month":
      return calendar.day === -1
        ? `On the last day of each month at ${time}`
        : `On day ${calendar.day} of each month at ${time}`;
    case "week": {
      if (calendar.days.length === CODES.length) return `Every day at ${time}`;
      if (calendar.days.join(",") === WORKING) return `On working days at ${time}`;
      return `${calendar.days.map((code) => NAMES[code]).join(", ")} at ${time}`;
    }
    default:
      return calendar.rule;
  }
}
