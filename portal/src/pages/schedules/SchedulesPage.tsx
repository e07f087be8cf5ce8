/** What is started, stopped and restarted by a calendar. */
import { Button } from "@fluentui/react-components";
import { AddRegular, DeleteRegular, EditRegular, PowerRegular } from "@fluentui/react-icons";
import { useCallback, useState } from "react";
import { useNavigate } from "react-router";
import { useSession } from "../../session";
import type { Column, RowAction } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { PageFrame } from "../../ui/PageFrame";
import { Time } from "../../ui/time";
import { VERB_NAMES } from "../devices/actions";
import { type Deed, DeedDialog } from "./Deeds";
import { inWords } from "./rule";
import { MAY_LOOK, type Schedule, StateMark, stateName, targetInWords } from "./words";

const COLUMNS: readonly Column<Schedule>[] = [
  {
    id: "name",
    name: "Name",
    text: (row) => row.name,
    draw: (row) => <AppLink to={`/schedules/${row.id}`}>{row.name}</AppLink>,
    sortable: true,
    width: 220,
  },
  { id: "action", name: "Action", text: (row) => VERB_NAMES[row.action], width: 100 },
  { id: "state", name: "State", text: stateName, draw: (row) => <StateMark schedule={row} />, width: 170 },
  { id: "when", name: "When", text: (row) => inWords(row.rule, row.startAt), width: 220 },
  {
    id: "nextRunAt",
    name: "Next run",
    text: (row) => row.nextRunAt,
    draw: (row) => <Time value={row.nextRunAt} none="None" />,
    sortable: true,
    width: 130,
  },
  { id: "target", name: "On", text: (row) => targetInWords(row.target), width: 220, grow: true },
  { id: "timeZone", name: "Time zone", text: (row) => row.timeZone, width: 150, hidden: true },
  { id: "owner", name: "Owner", text: (row) => row.owner, width: 140 },
  {
    id: "createdAt",
    name: "Made",
    text: (row) => row.createdAt,
    draw: (row) => <Time value={row.createdAt} />,
    sortable: true,
    width: 130,
    hidden: true,
  },
];

export default function SchedulesPage() {
  const { can } = useSession();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<{ deed: Deed; schedule: Schedule }>();
  const mayAct = can("CloudDevices.Update");
  const rowActions = useCallback(
    (schedule: Schedule): readonly RowAction[] => {
      const disabled = mayAct ? undefined : MAY_LOOK;
      const toggle: Deed = schedule.enabled ? "disable" : "enable";
      return [
        {
          label: "Edit",
          icon: <EditRegular />,
          disabled,
          run: () => void navigate(`/schedules/${schedule.id}/edit`),
        },
        {
          label: schedule.enabled ? "Switch off" : "Switch on",
          icon: <PowerRegular />,
          disabled,
          run: () => setAsked({ deed: toggle, schedule }),
        },
        { label: "Delete", icon: <DeleteRegular />, disabled, run: () => setAsked({ deed: "delete", schedule }) },
      ];
    },
    [mayAct, navigate],
  );
  return (
    <PageFrame
      title="Schedules"
      actions={
        mayAct && (
          <Button appearance="primary" icon={<AddRegular />} onClick={() => void navigate("/schedules/new")}>
            New schedule
          </Button>
        )
      }
    >
      <Table
        name="schedules"
        label="schedules"
        path="/api/schedules"
        columns={COLUMNS}
        id={idOf}
        sort={{ column: "name", descending: false }}
        rowActions={rowActions}
        empty={{
          title: "There are no schedules yet",
          text: `A schedule stops machines at night, starts them in the morning, or restarts them once a month. ${mayAct ? "Make one with New schedule." : "Whoever has the role CloudDevices.Update makes them."}`,
        }}
      />
      {asked && <DeedDialog deed={asked.deed} schedule={asked.schedule} close={() => setAsked(undefined)} />}
    </PageFrame>
  );
}

const idOf = (row: Schedule) => row.id;
