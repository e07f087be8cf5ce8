/** One schedule: what it does when, its next runs, what became of the ones before. */
import { Button, makeStyles, Subtitle2, tokens } from "@fluentui/react-components";
import { EditRegular } from "@fluentui/react-icons";
import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Facts } from "../../ui/Facts";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { Time } from "../../ui/time";
import { VERB_NAMES } from "../devices/actions";
import { type Deed, DeedDialog } from "./Deeds";
import { Approval, KeptOn, NextRuns } from "./parts";
import { Runs } from "./Runs";
import { inWords } from "./rule";
import { useSchedule } from "./useSchedule";
import { MAY_LOOK, noKeepingOn, type ScheduleDetail, StateMark, targetInWords } from "./words";

const useStyles = makeStyles({
  buttons: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS, alignItems: "center" },
  grid: {
    display: "grid",
    gap: tokens.spacingHorizontalXXL,
    gridTemplateColumns: "minmax(0, 3fr) minmax(0, 2fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  devices: { margin: 0, paddingLeft: tokens.spacingHorizontalXL },
  client: { color: tokens.colorNeutralForeground3 },
  runs: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM, flexGrow: 1, minHeight: "26rem" },
});

export default function SchedulePage() {
  const { scheduleId = "" } = useParams();
  const found = useSchedule(scheduleId, 30);
  return (
    <ReadPage title="Schedule" read={found}>
      {(data) => <Shown schedule={data.schedule} etag={data.etag} />}
    </ReadPage>
  );
}

function Shown({ schedule, etag }: { schedule: ScheduleDetail; etag: string | undefined }) {
  const styles = useStyles();
  const { can } = useSession();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Deed>();
  const mayAct = can("CloudDevices.Update");
  const unkeepable = noKeepingOn(schedule, mayAct);
  const devices = schedule.target.deviceIds ?? [];
  return (
    <PageFrame title={schedule.name} aside={<StateMark schedule={schedule} />}>
      {mayAct ? (
        <div className={styles.buttons} role="group" aria-label="Actions">
          <Button icon={<EditRegular />} onClick={() => void navigate(`/schedules/${schedule.id}/edit`)}>
            Edit
          </Button>
          <Button onClick={() => setAsked(schedule.enabled ? "disable" : "enable")}>
            {schedule.enabled ? "Switch off" : "Switch on"}
          </Button>
          <Button disabled={unkeepable !== undefined} onClick={() => setAsked("keepOn")}>
            Keep on until...
          </Button>
          <Button onClick={() => setAsked("delete")}>Delete</Button>
          {unkeepable && <span>{unkeepable}</span>}
        </div>
      ) : (
        <div>{MAY_LOOK}</div>
      )}
      {schedule.approval.state !== "notNeeded" && <Approval schedule={schedule} ask={() => setAsked("approve")} />}
      <KeptOn schedule={schedule} end={mayAct ? () => setAsked("endKeepOn") : undefined} />
      <div className={styles.grid}>
        <section className={styles.part}>
          <Subtitle2 as="h2">What it does</Subtitle2>
          <Facts
            rows={[
              ["Action", VERB_NAMES[schedule.action]],
              ["On", targetInWords(schedule.target)],
              ["When", inWords(schedule.rule, schedule.startAt)],
              ["Time zone", schedule.timeZone],
              ["From", schedule.startAt.replace("T", " ")],
              ["Not on", schedule.holidays.join(", ")],
              ["Owner", schedule.owner],
              ["Sites", `${schedule.siteIds.length.toLocaleString()}: what came later is not touched`],
              ["Made", <Time key="m" value={schedule.createdAt} />],
              ["Made by", schedule.createdBy],
              ["Changed", <Time key="c" value={schedule.changedAt} />],
            ]}
          />
          {devices.length > 0 && devices.length <= 20 && <Devices ids={devices} />}
        </section>
        <section className={styles.part}>
          <Subtitle2 as="h2">Next runs</Subtitle2>
          <NextRuns schedule={schedule} />
        </section>
      </div>
      <section className={styles.runs}>
        <Subtitle2 as="h2">Runs</Subtitle2>
        <Runs id={schedule.id} />
      </section>
      {asked && (
        <DeedDialog
          deed={asked}
          schedule={schedule}
          etag={etag}
          close={() => setAsked(undefined)}
          done={() => void navigate("/schedules")}
        />
      )}
    </PageFrame>
  );
}

/** Its devices by name, as far as the person sees them. */
function Devices({ ids }: { ids: readonly string[] }) {
  const { api } = useSession();
  const found = useQueries({
    queries: ids.map((id) => ({
      queryKey: ["device", id],
      queryFn: async () => (await api.GET("/api/devices/{device_id}", { params: { path: { device_id: id } } })).data,
      staleTime: 60_000,
    })),
  });
  const styles = useStyles();
  return (
    <ul className={styles.devices} aria-label="Its devices">
      {ids.map((id, index) => (
        <li key={id}>
          <AppLink to={`/devices/${id}`}>{found[index]?.data?.name ?? id}</AppLink>{" "}
          <span className={styles.client}>{found[index]?.data?.clientName}</span>
        </li>
      ))}
    </ul>
  );
}
