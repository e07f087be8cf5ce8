/** A piece of long work that a page has begun: it stands in the address, so that a reload shows it again. */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { DismissRegular } from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { useLocation, useNavigate, useSearchParams } from "react-router";
import type { components } from "../api/schema";
import { Linked } from "./Checks";
import { ended, OperationProgress, useOperation } from "./OperationProgress";
import { Mark, sentence, type Tone } from "./status";

type Item = components["schemas"]["OperationItem"];
/** Id of a target -> what people call it. */
export type Names = Readonly<Record<string, string>>;

const PARAM = "operation";
const NOUNS: Record<string, string> = {
  "tenants.refresh": "Reading the list of customers",
  "tenants.sync": "Synchronization",
  "tenants.unsync": "Removal from client tenants",
  "connection.remove": "Removal of the connection",
};
const TONES: Record<Item["status"], Tone> = {
  notStarted: "quiet",
  running: "quiet",
  succeeded: "good",
  failed: "bad",
  canceled: "doubtful",
  outcomeUnknown: "doubtful",
};
const useStyles = makeStyles({
  root: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto",
    gap: tokens.spacingHorizontalM,
    padding: tokens.spacingHorizontalM,
    borderRadius: tokens.borderRadiusMedium,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    backgroundColor: tokens.colorNeutralBackground2,
  },
  body: { display: "grid", gap: tokens.spacingVerticalS },
  list: {
    listStyleType: "none",
    margin: 0,
    padding: 0,
    display: "grid",
    gap: tokens.spacingVerticalXS,
    maxHeight: "18rem",
    overflowY: "auto",
  },
  item: { display: "flex", flexWrap: "wrap", columnGap: tokens.spacingHorizontalM, overflowWrap: "anywhere" },
  why: { color: tokens.colorNeutralForeground2, flexBasis: "100%" },
  more: { justifySelf: "start" },
  away: { alignSelf: "start" },
});

/** The work in the address: its id, the names its targets had when it began, and how to begin and to put it away. */
export function useTask(): {
  id: string | undefined;
  names: Names;
  running: boolean;
  begin: (id: string, names?: Names) => void;
  clear: () => void;
} {
  const [query] = useSearchParams();
  const location = useLocation();
  const navigate = useNavigate();
  const id = query.get(PARAM) ?? undefined;
  const { data } = useOperation(id);
  const address = query.toString();
  const put = useCallback(
    (wanted: string | undefined, names: Names) => {
      const next = new URLSearchParams(address);
      if (wanted) next.set(PARAM, wanted);
      else next.delete(PARAM);
      void navigate({ search: next.toString() }, { replace: true, state: { names } });
    },
    [address, navigate],
  );
  return {
    id,
    names: (location.state as { names?: Names } | null)?.names ?? {},
    running: id !== undefined && data !== undefined && !ended(data.status),
    begin: useCallback((wanted, names = {}) => put(wanted, names), [put]),
    clear: useCallback(() => put(undefined, {}), [put]),
  };
}

/** How far it is, and what became of each target. `receipt`: all of them are shown, not only what failed. */
export function Task(props: { id: string; names: Names; clear: () => void; receipt?: boolean }) {
  const styles = useStyles();
  const queries = useQueryClient();
  const { data } = useOperation(props.id);
  const [all, setAll] = useState(props.receipt ?? false);
  const over = data !== undefined && ended(data.status);
  const seen = useRef(over);
  useEffect(() => {
    if (over && !seen.current) void queries.invalidateQueries();
    seen.current = over;
  }, [over, queries]);
  const items = data?.items ?? [];
  const count = data?.itemCount ?? items.length;
  const counts = (["succeeded", "failed", "canceled", "outcomeUnknown"] as const)
    .map((status) => [items.filter((item) => item.status === status).length, status] as const)
    .filter(([number]) => number > 0)
    .map(([number, status]) => `${number.toLocaleString()} ${sentence(status).toLowerCase()}`);
  const nameOf = (item: Item) => props.names[item.target] ?? item.target;
  const shown = items
    .filter((item) => all || item.status === "failed" || item.status === "outcomeUnknown")
    .sort((one, other) => nameOf(one).localeCompare(nameOf(other)));
  return (
    <section className={styles.root} aria-label="Work under way">
      <div className={styles.body}>
        <OperationProgress id={props.id} noun={NOUNS[data?.kind ?? ""] ?? "The work"} />
        {count > 1 && <Text>{`Of ${count.toLocaleString()}: ${counts.join(", ") || "none done yet"}.`}</Text>}
        {shown.length > 0 && (
          <ul className={styles.list}>
            {shown.map((item) => (
              <li key={item.target} className={styles.item}>
                <Mark tone={TONES[item.status]}>{sentence(item.status)}</Mark>
                <span>{nameOf(item)}</span>
                {item.error && (
                  <span className={styles.why}>
                    <Linked text={item.error.message} />
                  </span>
                )}
              </li>
            ))}
          </ul>
        )}
        {!props.receipt && items.length > 1 && (
          <Button className={styles.more} size="small" onClick={() => setAll(!all)}>
            {all ? "Show only what failed" : "Show every one"}
          </Button>
        )}
      </div>
      {over && (
        <Button
          className={styles.away}
          appearance="subtle"
          icon={<DismissRegular />}
          aria-label="Put this away"
          onClick={props.clear}
        />
      )}
    </section>
  );
}
