/** Work that failed as often as the platform tries, for whoever may put it back. */
import { Button, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Failure } from "../../ui/Failure";
import { sentence } from "../../ui/status";
import { Time } from "../../ui/time";
import { REFRESH } from "./data";

type Work = components["schemas"]["PoisonedWork"];

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalS, alignContent: "start" },
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid" },
  item: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto",
    gap: tokens.spacingHorizontalL,
    alignItems: "center",
    padding: `${tokens.spacingVerticalS} 0`,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  quiet: { color: tokens.colorNeutralForeground3 },
  body: {
    padding: tokens.spacingHorizontalS,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground3,
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: tokens.fontSizeBase200,
    overflowWrap: "anywhere",
    maxHeight: "10rem",
    overflowY: "auto",
  },
});
const SHOWN = 5;

function nameOf(work: Work): string {
  return sentence(work.queue.replaceAll("-", " "));
}

/** Nothing is drawn where nothing was given up. */
export function GivenUpWork() {
  const styles = useStyles();
  const { api } = useSession();
  const [asked, setAsked] = useState<Work>();
  const work = useQuery({
    queryKey: ["poison"],
    queryFn: async ({ signal }) => {
      const query = { state: ["poisoned" as const], $top: SHOWN, $count: true };
      return (await api.GET("/api/service/poison", { params: { query }, signal })).data;
    },
    refetchInterval: REFRESH,
  });
  const count = work.data?.count ?? 0;
  if (count === 0 && !work.error) return null;
  return (
    <section className={styles.root}>
      <Subtitle2 as="h2">
        {count > 0 ? `Work that was given up (${count.toLocaleString()})` : "Given-up work"}
      </Subtitle2>
      {work.error && <Failure error={work.error} retry={() => void work.refetch()} />}
      <ul className={styles.list}>
        {work.data?.value.map((one) => (
          <li key={one.id} className={styles.item}>
            <div>
              <Text weight="semibold" block>
                {nameOf(one)}
              </Text>
              <Text block>{one.reason}</Text>
              <Text size={200} className={styles.quiet}>
                <Time value={one.failedAt} />
              </Text>
            </div>
            <Button onClick={() => setAsked(one)}>Put back</Button>
          </li>
        ))}
      </ul>
      {count > SHOWN && <span className={styles.quiet}>{`and ${(count - SHOWN).toLocaleString()} more`}</span>}
      {asked && (
        <Ask
          title={`Put back: ${nameOf(asked)}`}
          verb="Put back"
          why
          done="It is on its queue again"
          close={() => setAsked(undefined)}
          run={({ why, key }) =>
            api.POST("/api/service/poison/{poison_id}/requeue", {
              params: { path: { poison_id: asked.id }, header: { "Idempotency-Key": key } },
              body: why,
            })
          }
        >
          <div>
            The job is done again, with five tries. Mend the cause first, which the function's log has, or it is given
            up again. What was done of it before is not done twice.
          </div>
          <code className={styles.body}>{asked.body}</code>
        </Ask>
      )}
    </section>
  );
}
