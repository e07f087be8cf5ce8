/** Which numbers the API would refuse, said before they are sent. */
import type { Rules } from "./data";
import {
  fullLabel,
  isNumber,
  type Limits,
  NUMBERS,
  RULE_NAMES,
  WATCHDOG,
  WATCHDOG_NUMBERS,
  WATCHDOG_RULES,
} from "./rules";

export interface Wrong {
  /** The field's path, as the API names it. */
  path: string;
  label: string;
  said: string;
}

/** The numbers that are out of what the API takes, in the order of the form. */
export function wrongNumbers(rules: Rules): Wrong[] {
  const found: Wrong[] = [];
  const look = (path: string, label: string, value: number | undefined, limits: Limits) => {
    if (value !== undefined && !within(value, limits)) found.push({ path, label, said: wanted(limits) });
  };
  const names = RULE_NAMES.filter(isNumber);
  for (const name of names) look(name, fullLabel(name), rules[name], NUMBERS[name]);
  for (const name of WATCHDOG_RULES) {
    look(`watchdog.${name}`, WATCHDOG[name].label, rules.watchdog?.[name], WATCHDOG_NUMBERS[name]);
  }
  for (const [index, row] of (rules.overrides ?? []).entries()) {
    for (const name of names) {
      const label = `${fullLabel(name)} (exception ${index + 1})`;
      look(`overrides.${index}.${name}`, label, row[name], NUMBERS[name]);
    }
  }
  return found;
}

function within(value: number, { min, max }: Limits): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function wanted({ min, max }: Limits): string {
  return `A whole number from ${min} to ${max.toLocaleString()}.`;
}
