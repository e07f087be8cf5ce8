/** The periods that people filter by. */

export const PERIODS = [
  { name: "24h", label: "Last 24 hours", hours: 24 },
  { name: "7d", label: "Last 7 days", hours: 7 * 24 },
  { name: "14d", label: "Last 14 days", hours: 14 * 24 },
  { name: "30d", label: "Last 30 days", hours: 30 * 24 },
  { name: "60d", label: "Last 60 days", hours: 60 * 24 },
  { name: "90d", label: "Last 90 days", hours: 90 * 24 },
  { name: "180d", label: "Last 180 days", hours: 180 * 24 },
] as const;

/** What people call a period; undefined when it is none. */
export function periodLabel(name: string | undefined): string | undefined {
  return PERIODS.find((one) => one.name === name)?.label;
}

/** The value that the API takes: of a period its beginning, RFC 3339 in UTC, to the minute; of others themselves. */
export function asMoment(value: string, now: number = Date.now()): string {
  const period = PERIODS.find((one) => one.name === value);
  if (!period) return value;
  const begin = now - period.hours * 3_600_000;
  return new Date(Math.floor(begin / 60_000) * 60_000).toISOString();
}
