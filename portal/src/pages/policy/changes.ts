/** What is different between two versions of the policy, in words. */
import { type Override, type Rules, same } from "./data";
import { fullLabel, RULE_NAMES, WATCHDOG, WATCHDOG_RULES } from "./rules";
import { minutes, overrideInWords, ruleInWords, scopeInWords } from "./words";

export interface Change {
  what: string;
  before: string;
  after: string;
}

/** What is different, in the order of the form. Rules that `before` does not have are the same. */
export function changesOf(before: Rules, after: Rules, siteName: (id: string) => string): Change[] {
  const found: Change[] = [];
  for (const name of RULE_NAMES) {
    if (before[name] === undefined || same(before[name], after[name])) continue;
    found.push({ what: fullLabel(name), before: ruleInWords(name, before), after: ruleInWords(name, after) });
  }
  for (const name of WATCHDOG_RULES) {
    const [was, is] = [before.watchdog?.[name], after.watchdog?.[name]];
    if (was === undefined || same(was, is)) continue;
    found.push({ what: WATCHDOG[name].label, before: minutes(was), after: minutes(is) });
  }
  if (before.overrides) found.push(...overrideChanges(before.overrides, after.overrides ?? [], siteName));
  return found;
}

function overrideChanges(before: readonly Override[], after: readonly Override[], siteName: (id: string) => string) {
  const left = [...before];
  const take = (wanted: (one: Override) => boolean) => {
    const at = left.findIndex(wanted);
    return at < 0 ? undefined : left.splice(at, 1)[0];
  };
  const scope = (one: Override) => scopeInWords(one, siteName);
  const fresh = after.filter((one) => !take((other) => same(one, other)));
  const found = fresh.map((one): Change => {
    const was = take((other) => same(scopeOf(one), scopeOf(other)));
    return {
      what: `Exception for: ${scope(one)}`,
      before: was ? overrideInWords(was) : "None",
      after: overrideInWords(one),
    };
  });
  found.push(
    ...left.map((one) => ({ what: `Exception for: ${scope(one)}`, before: overrideInWords(one), after: "None" })),
  );
  if (found.length === 0 && !same(before, after)) {
    const order = (rows: readonly Override[]) => rows.map(scope).join("; ");
    found.push({ what: "Order of the exceptions", before: order(before), after: order(after) });
  }
  return found;
}

function scopeOf({ clientNames, siteIds, types }: Override) {
  return { clientNames, siteIds, types };
}
