/** Making or changing a schedule. */
import {
  Button,
  Checkbox,
  Dropdown,
  Field,
  Input,
  makeStyles,
  Option,
  Subtitle2,
  Switch,
  Text,
  tokens,
} from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { newKey } from "../../api/client";
import { ApiError } from "../../api/errors";
import { useSession } from "../../session";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { PageFrame } from "../../ui/PageFrame";
import { problem } from "../../ui/problem";
import { useToasts } from "../../ui/toasts";
import { LEAVING, Unsaved } from "../../ui/Unsaved";
import { useOnce } from "../../ui/useOnce";
import { given, NO_REASON, Why } from "../../ui/Why";
import { VERB_NAMES, VERBS, type Verb } from "../devices/actions";
import { CalendarFields } from "./CalendarFields";
import { bodyOf, type Draft, draftOf, wanting } from "./draft";
import { TargetFields } from "./TargetFields";
import { useSchedule } from "./useSchedule";
import type { ScheduleDetail } from "./words";

const useStyles = makeStyles({
  form: { display: "grid", gap: tokens.spacingVerticalXXL, maxWidth: "44rem" },
  part: {
    display: "grid",
    gap: tokens.spacingVerticalM,
    border: 0,
    padding: 0,
    margin: 0,
    minWidth: 0,
  },
  buttons: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS, alignItems: "center" },
});

export default function ScheduleFormPage() {
  const { scheduleId } = useParams();
  const found = useSchedule(scheduleId);
  if (scheduleId === undefined) return <Form />;
  if (found.error) {
    return (
      <PageFrame title="Edit the schedule">
        <Failure error={found.error} retry={() => void found.refetch()} />
      </PageFrame>
    );
  }
  if (!found.data) return <Loading label="Reading the schedule" />;
  return <Form before={found.data.schedule} etag={found.data.etag} />;
}

function Form({ before, etag }: { before?: ScheduleDetail; etag?: string | undefined }) {
  const styles = useStyles();
  const { api } = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const toasts = useToasts();
  const [draft, setDraft] = useState<Draft>(() => draftOf(before));
  const [why, setWhy] = useState(NO_REASON);
  const [key, setKey] = useState(newKey);
  const change = (part: Partial<Draft>) => setDraft((now) => ({ ...now, ...part }));
  const save = useOnce({
    mutationFn: async () => {
      const body = { ...bodyOf(draft), ...given(why) };
      if (before === undefined) {
        const header = { "Idempotency-Key": key };
        return (await api.POST("/api/schedules", { params: { header }, body })).data;
      }
      const params = { path: { schedule_id: before.id } };
      const headers = etag ? { "If-Match": etag } : {};
      return (await api.PUT("/api/schedules/{schedule_id}", { params, headers, body })).data;
    },
    onError: () => setKey(newKey()),
    onSuccess: (saved) => {
      void queries.invalidateQueries();
      toasts.done(`Saved: ${draft.name}`);
      void navigate(`/schedules/${saved?.id}`, LEAVING);
    },
  });
  const error = save.error instanceof ApiError ? save.error : undefined;
  const about = (field: string) => error?.about(field);
  const missing = wanting(draft);
  const back = before ? `/schedules/${before.id}` : "/schedules";
  return (
    <PageFrame title={before ? `Edit ${before.name}` : "New schedule"}>
      <Unsaved draft={draft} />
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (!save.isPending && missing === undefined) save.mutate();
        }}
      >
        <Part title="What it does">
          <Field label="Name" required {...problem(about("name"))}>
            <Input maxLength={200} value={draft.name} onChange={(_, data) => change({ name: data.value })} />
          </Field>
          <Field label="Action" required {...problem(about("action"))}>
            <Dropdown
              value={VERB_NAMES[draft.action]}
              selectedOptions={[draft.action]}
              onOptionSelect={(_, data) => change({ action: data.optionValue as Verb, confirm: false })}
            >
              {VERBS.map((verb) => (
                <Option key={verb} value={verb}>
                  {VERB_NAMES[verb]}
                </Option>
              ))}
            </Dropdown>
          </Field>
        </Part>
        <Part title="When">
          <CalendarFields draft={draft} change={change} about={about} />
        </Part>
        <Part title="On what">
          <TargetFields draft={draft} change={change} problem={about("target")} />
        </Part>
        <Part title="Saving">
          <Switch
            label={draft.enabled ? "It is on" : "It is off"}
            checked={draft.enabled}
            onChange={(_, data) => change({ enabled: data.checked })}
          />
          {(draft.confirm || error?.code === "confirmationRequired") && (
            <Field {...problem(about("confirm"))}>
              <Checkbox
                label="Yes, I know what this action does."
                checked={draft.confirm}
                onChange={(_, data) => change({ confirm: data.checked === true })}
              />
            </Field>
          )}
          {before && (
            <Text>
              It is yours once you save it: it acts in the sites that you see. Another action, target or time needs its
              approval anew.
            </Text>
          )}
          <Why value={why} onChange={setWhy} />
          {save.error && <Failure error={save.error} />}
          <div className={styles.buttons}>
            <Button appearance="primary" type="submit" disabled={save.isPending || missing !== undefined}>
              {before ? "Save" : "Make the schedule"}
            </Button>
            <Button onClick={() => void navigate(back, LEAVING)}>Cancel</Button>
            {missing && <Text>{missing}</Text>}
          </div>
        </Part>
      </form>
    </PageFrame>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  const styles = useStyles();
  return (
    <section className={styles.part}>
      <Subtitle2 as="h2">{title}</Subtitle2>
      {children}
    </section>
  );
}
