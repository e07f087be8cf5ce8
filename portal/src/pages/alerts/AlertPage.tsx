/** One alert: what it is about, what became of it, what was told of it, and what can be done. */
import { Button, Link, makeStyles, Subtitle2, Tooltip, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import { useSession } from "../../session";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { AlertFacts, ServiceIssue } from "./AlertFacts";
import { useDeeds } from "./deeds";
import { Members } from "./Members";
import { Notices } from "./Notices";
import { Tickets } from "./Tickets";
import { Timeline } from "./Timeline";
import { type Alert, AlertState, Severity } from "./words";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: tokens.spacingHorizontalXXL,
    gridTemplateColumns: "minmax(0, 2fr) minmax(0, 3fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalXL, alignContent: "start" },
  section: { display: "grid", gap: tokens.spacingVerticalM },
  actions: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS },
  marks: { display: "inline-flex", flexWrap: "wrap", gap: tokens.spacingHorizontalL },
});

export default function AlertPage() {
  const { alertId = "" } = useParams();
  const { api } = useSession();
  const alert = useQuery({
    queryKey: ["alert", alertId],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/alerts/{alert_id}", { params: { path: { alert_id: alertId } }, signal })).data,
    refetchInterval: 30_000,
  });
  return (
    <ReadPage title="Alert" read={alert}>
      {(data) => <Whole alert={data} />}
    </ReadPage>
  );
}

function Whole({ alert }: { alert: Alert }) {
  const styles = useStyles();
  return (
    <PageFrame
      title={alert.title}
      aside={
        <span className={styles.marks}>
          <Severity level={alert.severity} />
          <AlertState state={alert.state} />
        </span>
      }
      actions={
        alert.url?.startsWith("https://") && (
          <Link href={alert.url} target="_blank" rel="noreferrer">
            Open in the Azure portal
          </Link>
        )
      }
    >
      <Notices alert={alert} />
      <Deeds alert={alert} />
      <div className={styles.grid}>
        <div className={styles.part}>
          <AlertFacts alert={alert} />
          {alert.serviceIssue && <ServiceIssue issue={alert.serviceIssue} />}
        </div>
        <div className={styles.part}>
          {alert.members && (
            <section className={styles.section} aria-labelledby="members">
              <Subtitle2 as="h2" id="members">
                Devices of the outage
              </Subtitle2>
              <Members members={alert.members} />
            </section>
          )}
          <section className={styles.section} aria-labelledby="tickets">
            <Subtitle2 as="h2" id="tickets">
              Tickets and deliveries
            </Subtitle2>
            <Tickets alert={alert} />
          </section>
          <section className={styles.section} aria-labelledby="timeline">
            <Subtitle2 as="h2" id="timeline">
              Timeline
            </Subtitle2>
            <Timeline entries={alert.timeline ?? []} />
          </section>
        </div>
      </div>
    </PageFrame>
  );
}

function Deeds({ alert }: { alert: Alert }) {
  const styles = useStyles();
  const { deedsOf, dialog } = useDeeds();
  return (
    <div className={styles.actions} role="group" aria-label="Actions">
      {deedsOf(alert).map((deed) => {
        const button = (
          <Button
            key={deed.label}
            icon={deed.icon ?? null}
            disabledFocusable={deed.disabled !== undefined}
            onClick={deed.run}
          >
            {deed.label}
          </Button>
        );
        return deed.disabled === undefined ? (
          button
        ) : (
          <Tooltip key={deed.label} content={deed.disabled} relationship="description">
            {button}
          </Tooltip>
        );
      })}
      {dialog}
    </div>
  );
}
